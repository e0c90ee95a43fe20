"""Order flow, measured: what a day of trades costs to be turned into footprints, profiles, CVD and imbalances."""
