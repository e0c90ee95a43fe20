"""MarketProfile: volume by price, of a frame with a row a trade. It rounds prices up, where others round down."""

import pandas as pd
from market_profile import MarketProfile

from bench.flow.contestants import Answers, Run, Told
from bench.flow.questions import BIN, ROUNDED
from bench.flow.tape import Tape


def _volume_profile(tape: Tape) -> Run:
    shifted = tape.price - BIN * (1 - 2 * ROUNDED)
    frame = pd.DataFrame({"Close": shifted, "Volume": tape.size}, index=pd.to_datetime(tape.time))

    def run() -> Told:
        found = MarketProfile(frame, tick_size=BIN)[frame.index[0] : frame.index[-1]]
        volume = found.profile
        return lambda: {
            "level": (volume.index.to_numpy() / BIN).round().astype(int),
            "volume": volume.to_numpy(),
        }

    return run


ANSWERS: Answers = {"volume profile": _volume_profile}
