"""How directions are made, one module each; `emsteer.recipes` names them."""
