#!/usr/bin/env python3
"""What layers give under PyTorch, in float64, for layers_test.cpp. Usage: layer_records.py writes layer_records.json beside it."""

import json
import pathlib

import torch
from torch import nn
from torch.nn import functional as F

ENCODER = {"d_model": 4, "nhead": 2, "dim_feedforward": 6, "dropout": 0.0}
CAUSAL = nn.Transformer.generate_square_subsequent_mask(3, dtype=torch.float64)
PADDED = torch.tensor([[False, False, True], [False, False, False]])


def numbers(shape, seed):
    """The same numbers as layers_test.cpp's."""
    count = torch.Size(shape).numel()
    return (0.7 * torch.arange(count, dtype=torch.float64) + seed).sin().reshape(shape)


class Applied(nn.Module):
    """A layer whose call takes more than tensors of numbers."""

    def __init__(self, layer, call):
        super().__init__()
        self.layer, self.call = layer, call

    def forward(self, *inputs):
        return self.call(self.layer, *inputs)


def stack(norm):
    return nn.TransformerEncoder(nn.TransformerEncoderLayer(**ENCODER, batch_first=True), 2, nn.LayerNorm(4) if norm else None)


def bag(mode):
    index = torch.tensor([[0, 2, 2], [4, 1, 3]])
    return Applied(nn.EmbeddingBag(5, 3, mode=mode, padding_idx=3), lambda layer: layer(index))


CASES = {
    "encoder_layer": (nn.TransformerEncoderLayer(**ENCODER), [(3, 2, 4)]),
    "encoder_layer_norm_first": (nn.TransformerEncoderLayer(**ENCODER, norm_first=True, batch_first=True, activation=F.gelu), [(2, 3, 4)]),
    "encoder_layer_without_bias": (nn.TransformerEncoderLayer(**ENCODER, bias=False), [(3, 2, 4)]),
    "encoder_layer_without_batch": (nn.TransformerEncoderLayer(**ENCODER), [(3, 4)]),
    "encoder_layer_causal": (
        Applied(nn.TransformerEncoderLayer(**ENCODER), lambda layer, x: layer(x, CAUSAL, is_causal=True)), [(3, 2, 4)],
    ),
    "encoder_layer_padded": (
        Applied(nn.TransformerEncoderLayer(**ENCODER), lambda layer, x: layer(x, src_key_padding_mask=PADDED)), [(3, 2, 4)],
    ),
    "decoder_layer": (
        Applied(nn.TransformerDecoderLayer(**ENCODER), lambda layer, x, y: layer(x, y, tgt_mask=CAUSAL)), [(3, 2, 4), (5, 2, 4)],
    ),
    "decoder_layer_norm_first": (
        Applied(nn.TransformerDecoderLayer(**ENCODER, norm_first=True), lambda layer, x, y: layer(x, y, memory_key_padding_mask=PADDED)),
        [(4, 2, 4), (3, 2, 4)],
    ),
    "encoder": (stack(False), [(2, 3, 4)]),
    "encoder_with_norm": (stack(True), [(2, 3, 4)]),
    "transformer": (
        Applied(nn.Transformer(4, 2, 1, 2, 6, 0.0), lambda layer, x, y: layer(x, y, tgt_mask=CAUSAL, tgt_is_causal=True)),
        [(4, 2, 4), (3, 2, 4)],
    ),
    "bilinear": (nn.Bilinear(3, 2, 4), [(2, 5, 3), (2, 5, 2)]),
    "prelu": (nn.PReLU(3), [(2, 3, 4)]),
    "prelu_of_one": (nn.PReLU(), [(2, 3, 4)]),
    "conv3d": (nn.Conv3d(2, 4, (2, 1, 2), stride=(1, 2, 1), padding=(1, 0, 1), groups=2), [(2, 2, 3, 3, 2)]),
    "conv_transpose1d": (nn.ConvTranspose1d(4, 2, 3, stride=2, padding=1, output_padding=1, groups=2), [(2, 4, 3)]),
    "conv_transpose2d": (nn.ConvTranspose2d(2, 3, 2, stride=2, bias=False), [(1, 2, 3, 2)]),
    "conv_transpose3d": (nn.ConvTranspose3d(2, 2, 2, dilation=(1, 2, 1)), [(1, 2, 2, 2, 3)]),
    "instance_norm": (nn.InstanceNorm1d(3, affine=True, track_running_stats=True), [(2, 3, 4)]),
    "instance_norm_evaluated": (nn.InstanceNorm2d(3, affine=True, track_running_stats=True).eval(), [(2, 3, 2, 2)]),
    "instance_norm_plain": (nn.InstanceNorm1d(3), [(2, 3, 4)]),
    "local_response_norm": (nn.LocalResponseNorm(3, 0.1, 0.5, 2.0), [(2, 4, 3)]),
    "rnn_cell": (nn.RNNCell(3, 4, nonlinearity="relu"), [(2, 3), (2, 4)]),
    "rnn_cell_tanh": (nn.RNNCell(3, 4, bias=False), [(2, 3)]),
    "lstm_cell": (Applied(nn.LSTMCell(3, 4), lambda layer, x, h, c: torch.stack(layer(x, (h, c)))), [(2, 3), (2, 4), (2, 4)]),
    "gru_cell": (nn.GRUCell(3, 4), [(2, 3), (2, 4)]),
    "bag_sum": (bag("sum"), []),
    "bag_mean": (bag("mean"), []),
    "bag_max": (bag("max"), []),
    "adaptive_log_softmax": (
        Applied(nn.AdaptiveLogSoftmaxWithLoss(8, 10, [2, 5], div_value=2.0), lambda layer, x: layer(x, torch.tensor([0, 3, 9])).output),
        [(3, 8)],
    ),
    "max_unpool": (
        Applied(nn.MaxUnpool2d(2, 2), lambda layer, x: layer(*F.max_pool2d(x, 2, 2, return_indices=True), output_size=(5, 4))), [(1, 2, 5, 4)],
    ),
    "upsample": (nn.Upsample(scale_factor=(1.5, 2.0), mode="bilinear"), [(1, 2, 3, 2)]),
    "reflection_pad": (nn.ReflectionPad2d((1, 2, 0, 1)), [(2, 2, 3, 4)]),
    "circular_pad": (nn.CircularPad1d((2, 1)), [(2, 2, 3)]),
    "replication_pad": (nn.ReplicationPad3d(1), [(1, 2, 2, 1, 2)]),
    "constant_pad": (nn.ConstantPad2d((1, -1, 2, 0), 7.0), [(2, 3, 3)]),
    "pixel_shuffle": (nn.PixelShuffle(2), [(1, 4, 2, 3)]),
    "pixel_unshuffle": (nn.PixelUnshuffle(2), [(1, 1, 4, 2)]),
    "channel_shuffle": (nn.ChannelShuffle(2), [(2, 4, 3)]),
    "fold": (nn.Fold((3, 4), 2), [(1, 8, 6)]),
    "unfold": (nn.Unfold(2, padding=1, stride=2), [(1, 2, 3, 4)]),
    "max_pool1d": (nn.MaxPool1d(3, 2, 1), [(2, 2, 7)]),
    "max_pool3d": (nn.MaxPool3d(2), [(1, 2, 2, 4, 4)]),
    "avg_pool1d": (nn.AvgPool1d(3, 2, 1, count_include_pad=False), [(2, 2, 7)]),
    "avg_pool3d": (nn.AvgPool3d(2), [(1, 2, 2, 4, 4)]),
    "adaptive_avg_pool1d": (nn.AdaptiveAvgPool1d(3), [(2, 2, 7)]),
    "adaptive_max_pool2d": (nn.AdaptiveMaxPool2d((2, 3)), [(1, 2, 5, 4)]),
    "lp_pool2d": (nn.LPPool2d(2, 2), [(1, 2, 4, 4)]),
    "cosine_similarity": (nn.CosineSimilarity(-1), [(3, 4), (3, 4)]),
    "pairwise_distance": (nn.PairwiseDistance(3.0), [(3, 4), (3, 4)]),
    "hardtanh": (nn.Hardtanh(-0.5, 0.25), [(7,)]),
    "elu": (nn.ELU(0.5), [(7,)]),
    "celu": (nn.CELU(0.5), [(7,)]),
    "relu6": (nn.ReLU6(), [(7,)]),
    "selu": (nn.SELU(), [(7,)]),
    "hardsigmoid": (nn.Hardsigmoid(), [(7,)]),
    "hardswish": (nn.Hardswish(), [(7,)]),
    "mish": (nn.Mish(), [(7,)]),
    "softsign": (nn.Softsign(), [(7,)]),
    "tanhshrink": (nn.Tanhshrink(), [(7,)]),
    "log_sigmoid": (nn.LogSigmoid(), [(7,)]),
    "gelu_tanh": (nn.GELU("tanh"), [(7,)]),
    "softshrink": (nn.Softshrink(0.25), [(7,)]),
    "threshold": (nn.Threshold(0.25, 3.0), [(7,)]),
    "glu": (nn.GLU(), [(2, 6)]),
    "softmin": (nn.Softmin(-1), [(2, 6)]),
    "softmax2d": (nn.Softmax2d(), [(1, 3, 2, 2)]),
}


def main():
    records = {}
    for name, (layer, shapes) in CASES.items():
        layer = layer.double()
        parameters = {key.removeprefix("layer."): value for key, value in layer.named_parameters()}
        with torch.no_grad():
            for i, key in enumerate(sorted(parameters)):
                parameters[key].copy_(numbers(parameters[key].shape, i + 1))
        inputs = [numbers(shape, 0.5 + k).requires_grad_() for k, shape in enumerate(shapes)]
        y = layer(*inputs)
        weights = (torch.arange(y.numel(), dtype=torch.float64) + 1).sin()
        (y.reshape(-1) * weights).sum().backward()
        gradients = {key: value.grad for key, value in parameters.items()}
        gradients.update({f"input {k}": x.grad for k, x in enumerate(inputs)})
        records[name] = {
            "y": y.reshape(-1).tolist(),
            # Of a gradient one number, to which each of its elements adds with a factor of its own.
            "gradients": {
                key: (g.reshape(-1) * (torch.arange(g.numel(), dtype=torch.float64) + 2).cos()).sum().item() for key, g in gradients.items()
            },
        }
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(record)}" for name, record in records.items())
    pathlib.Path(__file__).with_suffix(".json").write_text("{\n" + lines + "\n}\n")


if __name__ == "__main__":
    main()
