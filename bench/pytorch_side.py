"""The same networks in PyTorch, timed: a plain loop over tensors, and a DataLoader.

Runs in an environment of its own; what it shares with the book is bench/work.py
and the arrays that it is given.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

sys.path.insert(0, str(Path(__file__).parents[1]))
from bench.serve import MATRIX, peak_of, serve
from bench.work import NUM_STEPS, WORKS


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


def timed(work: str, batches_of) -> dict:
    """Train for NUM_STEPS, with the loss and the accuracy of each step kept, as ours does."""
    settings = WORKS[work]
    images = IMAGES if work.startswith("mlp") else IMAGES.reshape(-1, 1, 28, 28)
    began = time.perf_counter()
    model = network(work)
    optimiser = (
        torch.optim.Adam(model.parameters(), settings.learning_rate)
        if work == "deeper_cnn"
        else torch.optim.SGD(model.parameters(), settings.learning_rate)
    )
    losses, accuracies = torch.empty(NUM_STEPS), torch.empty(NUM_STEPS)
    batches = batches_of(images, LABELS, settings.batch_size)
    for step in range(NUM_STEPS):
        batch_images, batch_labels = next(batches)
        logits = model(batch_images)
        loss = functional.cross_entropy(logits, batch_labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses[step] = loss.detach()
        accuracies[step] = (logits.argmax(1) == batch_labels).float().mean()
    seconds = time.perf_counter() - began
    return {"whole": seconds, "steps": seconds, "loss": float(losses[-20:].mean())}


def matmul_peak(_: str) -> dict:
    """What PyTorch's matrix product reaches."""
    a = torch.randn(MATRIX, MATRIX)
    return peak_of(lambda: a @ a)


if __name__ == "__main__":
    with np.load(sys.argv[1], allow_pickle=False) as arrays:
        IMAGES = torch.from_numpy(arrays["images"])
        LABELS = torch.from_numpy(arrays["classes"])
    torch.set_num_threads(int(sys.argv[2]))
    serve(
        {
            "tensors": lambda work: timed(work, batches_of_tensors),
            "loader": lambda work: timed(work, batches_of_loader),
            "peak": matmul_peak,
        },
        {"torch": torch.__version__, "threads": torch.get_num_threads()},
    )
