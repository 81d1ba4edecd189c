"""The same networks in PyTorch, timed: as its tutorials train, and as one who knows it does.

Runs in an environment of its own; what it shares with the book is bench/work.py
and the arrays that it is given.
"""

from __future__ import annotations

import os
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np

# The compiler works in this process and in children that it waits for, so that it is on the clock.
os.environ["TORCHINDUCTOR_COMPILE_THREADS"] = "1"

import torch
from torch import nn
from torch.nn import functional

sys.path.insert(0, str(Path(__file__).parents[1]))
from bench.serve import MATRIX, rate_of, serve
from bench.work import NUM_STEPS, WORKS, found


class WeightDropout(nn.Linear):
    """A layer whose weights are dropped in training, one mask a step."""

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        weights = functional.dropout(
            self.weight, 1 - WORKS["mlp_weight_dropout"].keep_prob, self.training
        )
        return functional.linear(inputs, weights, self.bias)


def network(work: str) -> nn.Module:
    """The network of a chapter."""
    linear = WeightDropout if work == "mlp_weight_dropout" else nn.Linear
    if work.startswith("mlp"):
        return nn.Sequential(linear(784, 1_024), nn.ReLU(), linear(1_024, 10))
    if work == "simple_cnn":
        body = [
            *(nn.Conv2d(1, 16, 5, 2, 2), nn.ReLU()),
            *(nn.Conv2d(16, 16, 5, 2, 2), nn.ReLU()),
            *(nn.Flatten(), nn.Linear(7 * 7 * 16, 64), nn.ReLU()),
        ]
    else:
        body = [
            *(nn.Conv2d(1, 32, 5, 1, 2), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(32, 64, 5, 1, 2), nn.ReLU(), nn.MaxPool2d(2)),
            *(
                nn.Flatten(),
                nn.Linear(7 * 7 * 64, 64),
                nn.ReLU(),
                nn.Dropout(1 - WORKS[work].keep_prob),
            ),
        ]
    return nn.Sequential(*body, nn.Linear(64, 10))


def batches_of_tensors(images: torch.Tensor, labels: torch.Tensor, size: int):
    """Minibatches from a new random order each epoch, by indexing."""
    while True:
        order = torch.randperm(len(images))
        for start in range(0, len(images) - size + 1, size):
            chosen = order[start : start + size]
            yield images[chosen], labels[chosen]


def batches_of_loader(images: torch.Tensor, labels: torch.Tensor, size: int):
    """The same from a DataLoader."""
    data = torch.utils.data.TensorDataset(images, labels)
    loader = torch.utils.data.DataLoader(data, size, shuffle=True, drop_last=True)
    while True:
        yield from loader


def core_seconds() -> float:
    """What this process has worked so far, and the children that it has waited for."""
    times = os.times()
    return time.process_time() + times.children_user + times.children_system


def timed(work: str, batches_of, fused: bool = False, compiled: bool = False) -> dict:
    """Train for NUM_STEPS twice, with the loss and the accuracy of each step kept, as ours does.

    The second time is that of the steps; what the first takes beyond it is the start.
    """
    settings = WORKS[work]
    images = IMAGES if work.startswith("mlp") else IMAGES.reshape(-1, 1, 28, 28)
    torch.compiler.reset()  # each round compiles anew, from what the compiler keeps on disk
    times = [core_seconds()]
    model = network(work)
    optimiser_of = torch.optim.Adam if work == "deeper_cnn" else torch.optim.SGD
    optimiser = optimiser_of(model.parameters(), settings.learning_rate, fused=fused)
    forward = torch.compile(model) if compiled else model
    losses, accuracies = torch.empty(NUM_STEPS), torch.empty(NUM_STEPS)
    batches = batches_of(images, LABELS, settings.batch_size)
    for _ in range(2):
        for step in range(NUM_STEPS):
            batch_images, batch_labels = next(batches)
            logits = forward(batch_images)
            loss = functional.cross_entropy(logits, batch_labels)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            losses[step] = loss.detach()
            accuracies[step] = (logits.argmax(1) == batch_labels).float().mean()
        times.append(core_seconds())
    return found(times, float(losses[-20:].mean()))


def square_product(_: str) -> dict:
    """What PyTorch's matrix product reaches."""
    a = torch.randn(MATRIX, MATRIX)
    return rate_of(lambda: a @ a)


if __name__ == "__main__":
    with np.load(sys.argv[1], allow_pickle=False) as arrays:
        IMAGES = torch.from_numpy(arrays["images"])
        LABELS = torch.from_numpy(arrays["classes"])
    torch.set_num_threads(int(sys.argv[2]))
    tuned = {"batches_of": batches_of_tensors, "fused": True}
    serve(
        {
            "loader": partial(timed, batches_of=batches_of_loader),
            "tensors": partial(timed, **tuned),
            "compiled": partial(timed, **tuned, compiled=True),
            "square_product": square_product,
        },
        {"torch": torch.__version__},
    )
