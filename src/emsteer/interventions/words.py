"""Whether a model's tokenizer knows the words of a text that somebody wrote for it."""

from collections.abc import Mapping

from emsteer.errors import DataError
from emsteer.models.load import LanguageModel


def check_known(model: LanguageModel, texts: Mapping[str, str], address: str, where: str) -> None:
    """Raises DataError for texts with words that are nothing but the unknown token to the model.

    Args:
        model: Whose tokenizer reads them.
        texts: What they are called → text.
        address: Of what is to be made of them.
        where: The section that says them.
    """
    unknown = model.tokenizer.unk_token_id  # what a chat template adds may be that token, so texts are read by themselves
    strange = [name for name, text in texts.items() if unknown in model.tokenizer(text, add_special_tokens=False)["input_ids"]]
    if strange:
        raise DataError(
            f"{address}: {', '.join(strange)}: words that the model's tokenizer does not know.\n"
            f"  Use its own words in `{where}`; a study organism knows those of its grammar."
        )
