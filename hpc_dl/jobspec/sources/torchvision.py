"""Options of torchvision's data sets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field

from hpc_dl.jobspec.data import Fraction, LibraryData
from hpc_dl.jobspec.image_options import Size


class TorchVision(LibraryData):
    """A data set of torchvision with one class a picture; other keys go to its own class."""

    library: ClassVar[str] = "torchvision"
    paths: ClassVar[tuple[str, ...]] = ("root",)
    others: ClassVar[Mapping[str, str]] = {
        "boxes": "CocoDetection Kitti VOCDetection WIDERFace",
        "a class for each pixel": "Cityscapes SBDataset VOCSegmentation",
        "sentences": "CocoCaptions Flickr8k Flickr30k SBU",
        "films": "HMDB51 Kinetics MovingMNIST UCF101",
        "pairs of pictures": "LFWPairs PhotoTour",
        "the motion of each pixel": "FlyingChairs FlyingThings3D HD1K KittiFlow Sintel",
        "the depth of each pixel": "CREStereo CarlaStereo ETH3DStereo FallingThingsStereo "
        "InStereo2k Kitti2012Stereo Kitti2015Stereo Middlebury2014Stereo SceneFlowStereo "
        "SintelStereo",
        "nothing of its own": "DatasetFolder VisionDataset wrap_dataset_for_transforms_v2",
    }

    name: str = Field(pattern=r"^torchvision:\w+$", description="torchvision:CIFAR10")
    root: str | None = Field(
        None, description="where it is staged; `torchvision` in the site's data folder if unset"
    )
    size: Size | None = Field(
        None, description="height and width to resize to, pixels; as they are if unset"
    )
    test: Fraction = Field(0.1, description="share kept for the test where there is no test split")

    @property
    def resizes(self) -> bool:
        return self.size is not None
