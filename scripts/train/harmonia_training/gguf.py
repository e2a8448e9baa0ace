"""A 16-bit member as a GGUF file of architecture "llama", with its tokenizer: for programs that read no safetensors.

Such files turn adjacent channels of queries and keys, training turned half-split ones, so that their rows are reordered.
"""

import struct

import numpy

from . import bpe
from .model import Llama

ALIGNMENT = 32
F16 = 1
UINT32, FLOAT32, BOOL, STRING, ARRAY, INT32 = 4, 6, 7, 8, 9, 5
NORMAL, UNKNOWN, CONTROL = 1, 2, 3  # types of tokens
NAMES = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


def text(value):
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def scalar(kind, value):
    if kind == STRING:
        return text(value)
    return struct.pack({UINT32: "<I", INT32: "<i", FLOAT32: "<f", BOOL: "<?"}[kind], value)


def pair(key, kind, value):
    return text(key) + struct.pack("<I", kind) + scalar(kind, value)


def array(key, kind, values):
    head = text(key) + struct.pack("<IIQ", ARRAY, kind, len(values))
    return head + b"".join(scalar(kind, v) for v in values)


def adjacent(weight, heads):
    """Rows of half-split pairs (i, i + head / 2) as adjacent ones (2 i, 2 i + 1)."""
    rows, cols = weight.shape
    return weight.reshape(heads, 2, rows // heads // 2, cols).swapaxes(1, 2).reshape(rows, cols)


def tensors(model):
    def half(t):
        return t.detach().half().numpy()

    shape = model.shape
    yield "token_embd.weight", half(model.embedding)
    yield "output_norm.weight", half(model.final_norm)
    for layer in range(shape.layers):
        yield f"blk.{layer}.attn_norm.weight", half(model.norms[2 * layer])
        yield f"blk.{layer}.ffn_norm.weight", half(model.norms[2 * layer + 1])
        for name, _, _ in shape.linears():
            weight = half(model.weights[Llama.key(layer, name)])
            heads = {"self_attn.q_proj": shape.heads, "self_attn.k_proj": shape.kv_heads}.get(name)
            yield f"blk.{layer}.{NAMES[name]}.weight", adjacent(weight, heads) if heads else weight


def description(shape, tokenizer):
    tokens = tokenizer.pieces
    kinds = [UNKNOWN if i == bpe.UNKNOWN else CONTROL if i in (bpe.START, bpe.END) else NORMAL for i in range(len(tokens))]
    return [
        pair("general.architecture", STRING, "llama"),
        pair("general.alignment", UINT32, ALIGNMENT),
        pair("llama.embedding_length", UINT32, shape.hidden),
        pair("llama.feed_forward_length", UINT32, shape.feed_forward),
        pair("llama.block_count", UINT32, shape.layers),
        pair("llama.attention.head_count", UINT32, shape.heads),
        pair("llama.attention.head_count_kv", UINT32, shape.kv_heads),
        pair("llama.rope.dimension_count", UINT32, shape.head),
        pair("llama.rope.freq_base", FLOAT32, shape.theta),
        pair("llama.attention.layer_norm_rms_epsilon", FLOAT32, shape.epsilon),
        pair("llama.context_length", UINT32, shape.context),
        pair("llama.vocab_size", UINT32, shape.vocabulary),
        pair("tokenizer.ggml.model", STRING, "llama"),
        array("tokenizer.ggml.tokens", STRING, tokens),
        array("tokenizer.ggml.scores", FLOAT32, [tokenizer.score(t) for t in range(len(tokens))]),
        array("tokenizer.ggml.token_type", INT32, kinds),
        pair("tokenizer.ggml.bos_token_id", UINT32, bpe.START),
        pair("tokenizer.ggml.eos_token_id", UINT32, bpe.END),
        pair("tokenizer.ggml.unknown_token_id", UINT32, bpe.UNKNOWN),
    ]


def write(model, tokenizer, path):
    if model.bits != 16:
        raise ValueError(f"GGUF has no K-means codes, expected a model of 16 bit, not of {model.bits}")
    pairs = description(model.shape, tokenizer)
    infos, data, count = b"", b"", 0
    for name, values in tensors(model):
        sizes = values.shape[::-1]
        infos += text(name) + struct.pack("<I", len(sizes)) + struct.pack(f"<{len(sizes)}Q", *sizes)
        infos += struct.pack("<IQ", F16, len(data))
        data += numpy.ascontiguousarray(values).tobytes()
        data += b"\0" * (-len(data) % ALIGNMENT)
        count += 1
    head = b"GGUF" + struct.pack("<IQQ", 3, count, len(pairs)) + b"".join(pairs) + infos
    with open(path, "wb") as out:
        out.write(head + b"\0" * (-len(head) % ALIGNMENT) + data)
