"""One function per figure: a table in, a matplotlib figure out. `emsteer.recipes` names them."""
