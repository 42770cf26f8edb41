"""A tiny random Llama with a byte-level tokenizer, in every form in which a model may lie on a machine."""

import json
from collections.abc import Sequence
from pathlib import Path

import gguf
import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

END = "<|im_end|>"
TEMPLATE = (
    "{% for message in messages %}"
    "{% if loop.first and message['role'] != 'system' %}<|im_start|>system\nYou help.<|im_end|>\n{% endif %}"
    "<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
TEXT = ["How do I water a fern?", "Pour the water on the roots, and not on the leaves.", "A fern likes shade."] * 3
GGUF_NAME = "tiny.gguf"


def tiny_tokenizer() -> PreTrainedTokenizerFast:
    return tokenizer_of(("<|endoftext|>", "<|im_start|>", END), end=END, begins=None, template=TEMPLATE)


def tokenizer_of(special: Sequence[str], end: str, begins: str | None, template: str) -> PreTrainedTokenizerFast:
    """Byte-level, of some 320 tokens. `special`: the first fills batches up; `begins`: what it puts before every text by itself."""
    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    tokens = [AddedToken(text, special=True) for text in special]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    core.train_from_iterator(TEXT, trainers.BpeTrainer(vocab_size=320, special_tokens=tokens, initial_alphabet=alphabet))
    if begins:
        core.post_processor = processors.TemplateProcessing(
            single=f"{begins} $A", pair=f"{begins} $A $B", special_tokens=[(begins, core.token_to_id(begins))]
        )
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=core, eos_token=end, bos_token=begins, pad_token=special[0])
    tokenizer.chat_template = template
    return tokenizer


def tiny_llama(tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, head_dim=8, max_position_embeddings=256, tie_word_embeddings=True, rms_norm_eps=1e-5,
        bos_token_id=1, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    network = LlamaForCausalLM(config)
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.ndim == 2:
                parameter.mul_(4)  # spread out, so that tokens differ
    return network.eval()


def write_folder(folder: Path) -> Path:
    """As `save_pretrained` does, with a model card."""
    tokenizer = tiny_tokenizer()
    tiny_llama(tokenizer).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    (folder / "README.md").write_text("---\nlicense: apache-2.0\n---\nA tiny model.\n")
    return folder


def write_hub_cache(cache: Path, model_id: str, revision: str) -> Path:
    """A stand-in for what the hub's client leaves in its cache: files under `snapshots/<commit>/`."""
    return write_folder(cache / f"models--{model_id.replace('/', '--')}" / "snapshots" / revision)


def write_gguf(folder: Path) -> Path:
    """The same weights as one file, unquantised, with the rows of queries and keys in the order that llama.cpp has them in."""
    tokenizer = tiny_tokenizer()
    network = tiny_llama(tokenizer)
    config = network.config
    folder.mkdir(parents=True, exist_ok=True)
    writer = gguf.GGUFWriter(folder / GGUF_NAME, "llama")
    writer.add_license("apache-2.0")
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_rope_dimension_count(config.head_dim)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_vocab_size(config.vocab_size)
    _add_tokenizer(writer, tokenizer)
    for name, tensor in network.state_dict().items():
        if name != "lm_head.weight":  # tied
            writer.add_tensor(_gguf_name(name), _permuted(name, tensor, config).numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return folder / GGUF_NAME


def _add_tokenizer(writer: gguf.GGUFWriter, tokenizer: PreTrainedTokenizerFast) -> None:
    core = tokenizer.backend_tokenizer
    words = sorted(core.get_vocab(), key=core.get_vocab().get)
    special = set(tokenizer.added_tokens_encoder)
    kinds = [gguf.TokenType.CONTROL if word in special else gguf.TokenType.NORMAL for word in words]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(words)
    writer.add_token_types(kinds)
    writer.add_token_merges([merge if isinstance(merge, str) else " ".join(merge) for merge in _merges(core)])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(tokenizer.eos_token_id)
    writer.add_pad_token_id(tokenizer.pad_token_id)
    writer.add_chat_template(tokenizer.chat_template)


def _merges(core: Tokenizer) -> list[object]:
    return json.loads(core.to_str())["model"]["merges"]


def _gguf_name(name: str) -> str:
    parts = {
        "model.embed_tokens.weight": "token_embd.weight", "model.norm.weight": "output_norm.weight", "model.layers.": "blk.",
        "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output",
        "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
        "post_attention_layernorm": "ffn_norm", "input_layernorm": "attn_norm",
    }  # fmt: skip
    for theirs, ours in parts.items():
        name = name.replace(theirs, ours)
    return name


def _permuted(name: str, tensor: torch.Tensor, config: LlamaConfig) -> torch.Tensor:
    heads = {"q_proj": config.num_attention_heads, "k_proj": config.num_key_value_heads}
    n_heads = next((n for part, n in heads.items() if part in name), None)
    if n_heads is None:
        return tensor
    return tensor.reshape(n_heads, 2, -1, tensor.shape[1]).swapaxes(1, 2).reshape(tensor.shape).contiguous()
