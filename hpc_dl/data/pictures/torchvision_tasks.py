"""torchvision's data sets that are of other tasks than classes of pictures. Light."""

from __future__ import annotations

from hpc_dl.errors import UserError

_OTHERS = {
    "boxes": "CocoDetection Kitti VOCDetection WIDERFace",
    "a class for each pixel": "Cityscapes SBDataset VOCSegmentation",
    "sentences": "CocoCaptions Flickr8k Flickr30k SBU",
    "films": "HMDB51 Kinetics MovingMNIST UCF101",
    "pairs of pictures": "LFWPairs PhotoTour",
    "the motion of each pixel": "FlyingChairs FlyingThings3D HD1K KittiFlow Sintel",
    "the depth of each pixel": "CREStereo CarlaStereo ETH3DStereo FallingThingsStereo InStereo2k "
    "Kitti2012Stereo Kitti2015Stereo Middlebury2014Stereo SceneFlowStereo SintelStereo",
    "nothing of its own": "DatasetFolder VisionDataset wrap_dataset_for_transforms_v2",
}
"""What they have instead, and their names."""


def refuse_others(name: str) -> None:
    """Raise UserError for a data set of another task, before its gigabytes are fetched."""
    for what, names in _OTHERS.items():
        if name.partition(":")[2] in names.split():
            raise UserError(
                f"{name} has {what}, and no class for each picture",
                hint="A function of your own may return other examples: "
                "data.name: my_code.py:my_dataset.",
            )
