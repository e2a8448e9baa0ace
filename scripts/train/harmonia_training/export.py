"""Writes a trained member as a checkpoint in the layout of the 1-bit paper's releases, and what tests compare with.

X.weight_packed uint8 [out, in * bits / 8], the first element in the most significant bits; X.scales bf16 [out, in / 64];
X.centroids FP32 [2^bits]. What is 16 bit is FP16. The header's keys are sorted and nothing in the file depends on time or place.
"""

import json
import struct
import zlib

import numpy
import torch

from . import quantization
from .model import Llama

METADATA = "harmonia.model"  # as testbench/weights/huggingface.h has it


def packed(index, bits):
    """uint8 [out, in * bits / 8] of codes that fill bytes."""
    per_byte = 8 // bits
    groups = index.numpy().astype(numpy.uint8).reshape(index.shape[0], -1, per_byte)
    result = numpy.zeros(groups.shape[:2], numpy.uint8)
    for i in range(per_byte):
        result |= groups[:, :, i] << (8 - bits * (i + 1))
    return result


def bf16_bits(values):
    return values.bfloat16().view(torch.int16).numpy().view(numpy.uint16)


def configuration(shape):
    return {
        "model_type": "llama",
        "hidden_size": shape.hidden,
        "intermediate_size": shape.feed_forward,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.kv_heads,
        "head_dim": shape.head,
        "vocab_size": shape.vocabulary,
        "tie_word_embeddings": True,
        "rope_theta": shape.theta,
        "rms_norm_eps": shape.epsilon,
        "max_position_embeddings": shape.context,
    }


def layer_prefix(layer):
    return f"model.layers.{layer}."


def sixteen_bit_tensors(model):
    """Embedding and norms, and the linears of a 16-bit member, as (name, FP32 tensor)."""
    yield "model.embed_tokens.weight", model.embedding
    yield "model.norm.weight", model.final_norm
    for layer in range(model.shape.layers):
        yield layer_prefix(layer) + "input_layernorm.weight", model.norms[2 * layer]
        yield layer_prefix(layer) + "post_attention_layernorm.weight", model.norms[2 * layer + 1]


def tensors(model):
    """Name -> (type of safetensors, numpy array)."""
    result = {name: ("F16", t.detach().half().numpy()) for name, t in sixteen_bit_tensors(model)}
    for layer in range(model.shape.layers):
        for name, _, _ in model.shape.linears():
            key, prefix = Llama.key(layer, name), layer_prefix(layer) + name
            weight = model.weights[key].detach()
            if model.bits == 16:
                result[prefix + ".weight"] = ("F16", weight.half().numpy())
                continue
            index, scales = quantization.codes(weight, model.codebooks[key], model.bits)
            result[prefix + ".weight_packed"] = ("U8", packed(index, model.bits))
            result[prefix + ".scales"] = ("BF16", bf16_bits(scales))
            result[prefix + ".centroids"] = ("F32", model.codebooks[key].numpy())
    return result


def write_safetensors(path, contents, metadata):
    header, offset, data = {"__metadata__": metadata}, 0, []
    for name in sorted(contents):
        kind, array = contents[name]
        raw = numpy.ascontiguousarray(array).tobytes()
        header[name] = {"dtype": kind, "shape": list(array.shape), "data_offsets": [offset, offset + len(raw)]}
        offset += len(raw)
        data.append(raw)
    text = json.dumps(header, sort_keys=True, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as out:
        out.write(struct.pack("<Q", len(text)) + text + b"".join(data))


def write_checkpoint(model, path, about):
    """`about` are further entries of the metadata, texts by key."""
    config = json.dumps(configuration(model.shape), sort_keys=True)
    write_safetensors(path, tensors(model), {METADATA: config, **about})


def reference(model, tokens):
    """What PyTorch computes, for tests without PyTorch: CRC-32 of the FP32 weights of each linear as they are used in
    training (row-major, little-endian), and the logits of a sequence."""
    with torch.no_grad():
        sums = {
            layer_prefix(layer) + name: zlib.crc32(model.stored(Llama.key(layer, name)).numpy().tobytes())
            for layer in range(model.shape.layers)
            for name, _, _ in model.shape.linears()
        }
        logits = model(torch.tensor([tokens]))[0]
    return sums, logits


def linear_bytes(model):
    """Stored bytes of the linears: codes, scales and codebooks; and of what stays in 16 bit."""
    names = {name for name, _ in sixteen_bit_tensors(model)}
    contents = tensors(model)
    linears = sum(array.nbytes for name, (_, array) in contents.items() if name not in names)
    return linears, sum(array.nbytes for name, (_, array) in contents.items() if name in names)
