"""What this pack registers: transforms, frame samplers, datasets and the data loader."""

from __future__ import annotations

from essmc_core import hookimpl
from essmc_core.discovery.hooks import StagedRegistries

_TRANSFORMS = {
    "compose": {"Compose": "Transforms one after another", "Identity": "Nothing"},
    "load_image": {
        "LoadImageFromFile": "Reads a picture as PIL's, an array or a tensor",
        "LoadPILImageFromFile": "Reads a picture as PIL's",
        "LoadCvImageFromFile": "Reads a picture as an array (H, W, C)",
    },
    "load_video": {
        "LoadVideoFromFile": "Reads a clip by a frame sampler",
        "DecodeVideoToTensor": "Reads clips whose length is given in frames at a rate",
    },
    "load_frames": {"LoadFramesFromFolder": "Reads a clip of frames that were extracted to pictures"},
    "image": {
        "RandomCrop": "Cuts a random part out of a picture",
        "RandomResizedCrop": "Cuts a part of random area and ratio out of a picture, and scales it",
        "Resize": "Scales a picture",
        "CenterCrop": "Cuts out a picture's centre",
        "RandomHorizontalFlip": "Mirrors a picture",
        "Normalize": "Normalises a picture's channels",
        "ImageToTensor": "Makes a float tensor of a picture",
    },
    "video": {
        "VideoToTensor": "Makes (C, T, H, W) of decoded frames",
        "RandomResizedCropVideo": "Cuts one part of random area and ratio out of all frames, and scales it",
        "CenterCropVideo": "Cuts out the frames' centre",
        "RandomHorizontalFlipVideo": "Mirrors all frames",
        "NormalizeVideo": "Normalises a video's channels",
        "ResizeVideo": "Scales all frames",
    },
    "auto_crop": {"AutoResizedCropVideo": "Cuts the square of one view out of all frames, and scales it"},
    "color_jitter": {"ColorJitterVideo": "Changes brightness, contrast, saturation and hue of a video"},
    "mosi": {"MoSIGenerator": "Makes clips of pseudo motion from still frames (MoSI)"},
    "from_input": {"FromInput": "Makes of a file what the model takes, by the configuration's input"},
    "augmix": {"AugMix": "Mixes chains of augmentations of a picture"},
    "tensors": {
        "ToTensor": "Makes tensors of arrays, lists and numbers",
        "Select": "Keeps some values of an item",
        "TensorToGPU": "Moves tensors to CUDA where there is CUDA",
    },
    "torchvision": {"TorchvisionTransform": "Any transform of torchvision.transforms.v2, by its name there"},
}
_DATASETS = {
    "hmdb51": {"Hmdb51": "HMDB51: 51 actions"},
    "ucf101": {"UCF101": "UCF101: 101 actions"},
    "ssv2": {"SSV2": "Something-Something V2: 174 actions with objects"},
    "video_folder": {"VideoFolder": "Videos in folders of their classes"},
    "video_csv": {"VideoCsv": "Videos of a list, Kinetics's included"},
    "image_csv": {"ImageCsv": "Pictures of a list of paths and labels"},
    "image_json": {"ImageClassifyJsonDataset": "Pictures of a JSON list"},
    "image_folder": {"ImageFolder": "Pictures in folders of their classes"},
    "combining": {"ConcatDataset": "Datasets one after another", "DatasetRepeater": "A dataset several times"},
    "shards": {"WebDataset": "Pictures and videos in tar shards"},
    "moving_images": {"MovingImages": "Motion of still pictures: which way, and how fast"},
}
_CHECKS = {
    "LoadVideoFromFile": "load_video",
    "DecodeVideoToTensor": "decode_video",
    "LoadFramesFromFolder": "load_frames",
    "RandomResizedCrop": "resized_crop",
    "RandomResizedCropVideo": "resized_crop",
    "AutoResizedCropVideo": "resized_crop",
    "ColorJitterVideo": "colour_jitter",
    "MoSIGenerator": "mosi",
    "FromInput": "from_input",
    "MovingImages": "moving_images",
    "WebDataset": "shards",
    **dict.fromkeys(("ImageCsv", "ImageClassifyJsonDataset", "ImageFolder"), "pictures"),
    **dict.fromkeys(("Hmdb51", "UCF101", "SSV2", "VideoFolder", "VideoCsv"), "videos"),
}
"""What checks arguments together, in `essmc_data.arguments.rules`."""
_SAMPLERS = {
    "uniform": ("UniformSampler", "Frames spread evenly over a span of seconds"),
    "interval": ("IntervalSampler", "Frames spread evenly over a clip of given length"),
    "segment": ("SegmentSampler", "One frame of each of equal segments"),
}


@hookimpl
def register_components(registries: StagedRegistries) -> None:
    """Registers all of them by import string, and a kind of its own: what `data.train` of a configuration says."""
    for module, names in _TRANSFORMS.items():
        for name, summary in names.items():
            registries.transforms.register(
                name, f"essmc_data.transforms.{module}:{name}", summary=summary, check=_check(name)
            )
    for module, names in _DATASETS.items():
        for name, summary in names.items():
            registries.datasets.register(
                name, f"essmc_data.datasets.{module}:{name}", summary=summary, check=_check(name)
            )
    loaders = registries.add_kind("loaders", "loader")
    loaders.register(
        "DataLoader",
        "essmc_data.loading.loader:Loader",
        summary="Batches of a dataset's items",
        check="essmc_data.arguments.rules:loader",
    )
    for name, (target, summary) in _SAMPLERS.items():
        registries.frame_samplers.register(name, f"essmc_data.sampling.frame_samplers:{target}", summary=summary)


def _check(name: str) -> str:
    if name == "TorchvisionTransform":
        return "essmc_data.arguments.torchvision:check_transform"
    return f"essmc_data.arguments.rules:{_CHECKS[name]}" if name in _CHECKS else ""
