"""Fine-tuning of ResNet-50 on a folder of your own pictures, at 224 x 224 pixels: our choice.

No published number; 23,528,522 parameters with ten classes. Training begins with trained weights, such as ImageNet's,
with the names of torchvision or timm, and with a new head. `--config.init_from=FILE` names the file of weights. Without
this option, the file `resnet50.safetensors` must exist. docs/finetune.md says more.

    python main.py --config=configs/finetune_resnet50_folder.py --config.dataset.folder=DIR --config.model.num_classes=N

The recipe: 15 epochs of batches of 64; a learning rate of 0.01 that falls by half a cosine, and ten times that for the
head; BatchNorm over the whole batch.
"""

from ml_collections import ConfigDict

from configs import resnet18_folder


def get_config() -> ConfigDict:
    config = resnet18_folder.get_config()
    config.init_from = 'resnet50.safetensors'  # without weights, this is an error; None would begin with random weights
    config.train_for = '15 epochs'
    config.dataset.crop = 224
    config.pictures.test_shorter_side = 256
    config.model.depth = 50
    config.model.v1_5 = True
    config.schedule.learning_rate = 0.01
    config.schedule.head_factor = 10.0
    return config
