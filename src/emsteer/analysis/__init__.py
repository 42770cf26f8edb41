"""Tables: rates, contrasts. `emsteer.recipes` names the module that makes each."""
