"""Feed: sockets, REST, the journal and books: frames in, in order, with their gaps."""
