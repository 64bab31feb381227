"""The seven tasks of TransNAS-Bench-101: what a network predicts in each, and what its ground truth measures.

===============  ========================================  ==============  =================
task             prediction                                loss            ground truth
===============  ========================================  ==============  =================
class_scene      47 scenes                                 cross-entropy   accuracy
class_object     75 objects                                cross-entropy   accuracy
room_layout      9 values: centre, rotation, size of box   mean squared    negative_loss
jigsaw           1,000 permutations of 3 x 3 tiles         cross-entropy   accuracy
segmentsemantic  17 classes of every pixel                 cross-entropy   accuracy
normal           3 values of every pixel                   mean absolute   ssim
autoencoder      3 values of every pixel: the input        mean absolute   ssim
===============  ========================================  ==============  =================

Every one of these measures is better when higher: ``negative_loss`` is minus the mean squared error, ``ssim``
the structural similarity with the target image, and ``accuracy`` of ``segmentsemantic`` that of the pixels.

Where scoring departs from the training of the benchmark: it trained the two classifications on soft labels
(the predictions of a teacher, restricted to these 47 and 75 classes), and ``normal`` and ``autoencoder`` on
.99 of the mean absolute error plus .01 of the verdict of a discriminator. Here a label is one class, and the
discriminator is left out: it is no part of the network that is ranked. NASLib builds heads of 63 and 100
classes, the numbers before the restriction.

Source: Duan et al., "TransNAS-Bench-101", CVPR 2021; the training configurations in its repository.
"""

from collections.abc import Mapping
from types import MappingProxyType

from zcbench.harness.types import Loss, Task

TASKS: Mapping[str, Task] = MappingProxyType(
    {
        task.name: task
        for task in (
            Task("class_scene", Loss.CROSS_ENTROPY, 47),
            Task("class_object", Loss.CROSS_ENTROPY, 75),
            Task("room_layout", Loss.MEAN_SQUARED, 9),
            Task("jigsaw", Loss.CROSS_ENTROPY, 1000),
            Task("segmentsemantic", Loss.CROSS_ENTROPY, 17, dense=True),
            Task("normal", Loss.MEAN_ABSOLUTE, 3, dense=True),
            Task("autoencoder", Loss.MEAN_ABSOLUTE, 3, dense=True),
        )
    }
)
"""By name, in the order of the official file."""
