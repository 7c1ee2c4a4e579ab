"""Muon, for the longest runs: a step as long in every direction as in any other.

Source: K. Jordan et al. (2024), Muon: An optimizer for hidden layers in neural networks. PyTorch's
own ``torch.optim.Muon`` rounds to bfloat16, which is slow on a CPU.
"""

import torch

STEPS, COEFFICIENTS = 5, (3.4445, -4.7750, 2.0315)  # of the Newton-Schulz iteration, as published


class Muon(torch.optim.Optimizer):
    """Muon for weight matrices, and AdamW for all else.

    matrices : parameters (rows, columns), those of hidden layers
    others : embeddings, output layers, biases
    lr, others_lr : the learning rates of the two
    """

    def __init__(self, matrices, others, lr, others_lr, momentum=0.95, weight_decay=0.01):
        groups = [{"params": list(matrices), "lr": lr}, {"params": list(others), "lr": others_lr}]
        super().__init__(groups, {"momentum": momentum, "weight_decay": weight_decay})
        self.adam = torch.optim.AdamW(
            groups[1]["params"], lr=others_lr, betas=(0.9, 0.99), weight_decay=0, fused=True
        )

    @torch.no_grad()
    def step(self):
        """One update from the gradients of the parameters."""
        group, others = self.param_groups
        self.adam.param_groups[0]["lr"] = others["lr"]  # schedules write to the groups here
        self.adam.step()
        momentum, lr = group["momentum"], group["lr"]
        for weight in group["params"]:
            average = self.state[weight].setdefault("average", torch.zeros_like(weight))
            average.lerp_(weight.grad, 1 - momentum)
            update = orthogonal(weight.grad.lerp(average, momentum))
            longer = max(1, weight.shape[0] / weight.shape[1]) ** 0.5
            weight.mul_(1 - lr * group["weight_decay"]).add_(update, alpha=-lr * longer)


def muon_for(model, hidden, lr, others_lr, **options):
    """Muon for the matrices of ``hidden``, the hidden layers of a model; AdamW for its others."""
    matrices = [weight for weight in hidden.parameters() if weight.ndim == 2]
    others = [weight for weight in model.parameters() if all(weight is not m for m in matrices)]
    return Muon(matrices, others, lr, others_lr, **options)


def orthogonal(matrix):
    """A matrix (rows, columns) with the singular vectors of ``matrix`` and singular values near 1.

    Newton and Schulz's iteration, which needs products of matrices only. Each of its steps is
    x -> (a + b x x' + c (x x')^2) x. What is multiplied here are the brackets, and x x' between
    them, all of the shorter side; for a long matrix that is half the work.
    """
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.T if tall else matrix
    x = x / (x.norm() + 1e-7)
    squared = x @ x.T
    product = bracket = polynomial(squared)
    for _ in range(STEPS - 1):
        squared = bracket @ squared @ bracket
        bracket = polynomial(squared)
        product = bracket @ product
    x = product @ x
    return x.T if tall else x


def polynomial(squared):
    """A square matrix S -> a + b S + c S^2."""
    a, b, c = COEFFICIENTS
    bracket = torch.addmm(squared, squared, squared, beta=b, alpha=c)
    bracket.diagonal().add_(a)
    return bracket
