"""Fine-tuning of ResNet-50 on a folder of your own pictures, at 224 x 224 pixels: our choice.

No published number; 23,528,522 parameters with ten classes. It begins with weights by the names of torchvision or
timm, such as ImageNet's, and a new head. `--config.init_from=FILE` names their file; without it,
`resnet50.safetensors` must be there. docs/finetune.md says more.

    python main.py --config=configs/finetune_resnet50_folder.py --config.dataset.folder=DIR --config.model.num_classes=N

15 epochs of batches of 64, a learning rate of 0.01 that comes down by half a cosine, ten times that for the head, and
BatchNorm over the whole batch.
"""

from ml_collections import ConfigDict

from configs import resnet18_folder


def get_config() -> ConfigDict:
    config = resnet18_folder.get_config()
    config.init_from = 'resnet50.safetensors'  # so that without weights it is an error, and no run with random ones
    config.train_for = '15 epochs'
    config.dataset.crop = 224
    config.pictures.test_shorter_side = 256
    config.model.depth = 50
    config.model.v1_5 = True
    config.schedule.learning_rate = 0.01
    config.schedule.head_factor = 10.0
    return config
