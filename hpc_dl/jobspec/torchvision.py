"""Names of torchvision's classifiers, for the login node, which does not import torchvision."""

from __future__ import annotations

_FAMILIES = {
    "": "alexnet googlenet inception_v3 maxvit_t mobilenet_v2",
    "convnext_": "tiny small base large",
    "densenet": "121 161 169 201",
    "efficientnet_": "b0 b1 b2 b3 b4 b5 b6 b7 v2_s v2_m v2_l",
    "mnasnet": "0_5 0_75 1_0 1_3",
    "mobilenet_v3_": "small large",
    "regnet_x_": "400mf 800mf 1_6gf 3_2gf 8gf 16gf 32gf",
    "regnet_y_": "400mf 800mf 1_6gf 3_2gf 8gf 16gf 32gf 128gf",
    "resnet": "18 34 50 101 152",
    "resnext": "50_32x4d 101_32x8d 101_64x4d",
    "shufflenet_v2_": "x0_5 x1_0 x1_5 x2_0",
    "squeezenet": "1_0 1_1",
    "swin_": "t s b v2_t v2_s v2_b",
    "vgg": "11 11_bn 13 13_bn 16 16_bn 19 19_bn",
    "vit_": "b_16 b_32 l_16 l_32 h_14",
    "wide_resnet": "50_2 101_2",
}
WITHOUT_BATCH_NORM = ("alexnet", "convnext", "squeezenet", "swin", "vgg", "vit")
"""Families without batch norm, but for vgg's members in `_bn`."""
WITHOUT_RANDOMNESS = ("densenet", "regnet", "resnet", "resnext", "shufflenet", "vit", "wide")
"""Families without dropout and stochastic depth."""
CLASSIFIERS = sorted(
    family + member for family, members in _FAMILIES.items() for member in members.split()
)
