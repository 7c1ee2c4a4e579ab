"""Muon beside what defines it: singular value decomposition, and AdamW for all other weights."""

import torch
from torch.utils.flop_counter import FlopCounterMode

from tools.runs.muon import Muon, orthogonal


def test_the_update_has_the_singular_vectors_and_values_near_one():
    for rows, columns in ((48, 16), (16, 48), (32, 32)):
        matrix = torch.randn(rows, columns, generator=torch.Generator().manual_seed(rows))
        u, s, v = torch.linalg.svd(matrix, full_matrices=False)
        inner = u.T @ orthogonal(matrix) @ v.T
        assert torch.allclose(inner, inner.diagonal().diag(), atol=1e-4)
        large = inner.diagonal()[s > 0.05 * matrix.norm()]  # five steps do not lift tiny ones
        assert large.min() > 0.6
        assert large.max() < 1.3


def test_a_step_is_as_long_as_the_rate_says_and_decays_the_weights():
    weight = torch.nn.Parameter(torch.eye(8).repeat(4, 1))
    before = weight.detach().clone()
    weight.grad = torch.randn(32, 8, generator=torch.Generator().manual_seed(0))
    direction = orthogonal(weight.grad)
    other = torch.nn.Parameter(torch.zeros(1))
    other.grad = torch.ones(1)
    Muon([weight], [other], 0.1, 0.01, weight_decay=0.5).step()
    expected = before * (1 - 0.1 * 0.5) - 0.1 * (32 / 8) ** 0.5 * direction
    assert torch.allclose(weight, expected, atol=1e-5)


def test_other_weights_are_adamws_at_their_own_rate():
    ours, theirs = (torch.nn.Parameter(torch.tensor([1.0, -2.0])) for _ in range(2))
    matrix = torch.nn.Parameter(torch.eye(2))
    muon = Muon([matrix], [ours], 0.1, 0.01)
    adam = torch.optim.AdamW([theirs], lr=0.01, betas=(0.9, 0.99), weight_decay=0)
    for rate in (0.01, 0.005):  # as a schedule would
        muon.param_groups[1]["lr"] = adam.param_groups[0]["lr"] = rate
        for weight, optimizer in ((ours, muon), (theirs, adam)):
            weight.grad = torch.tensor([0.3, -0.1])
            matrix.grad = torch.eye(2)
            optimizer.step()
    assert torch.allclose(ours, theirs)


def test_the_products_are_as_many_as_the_figure_of_the_longest_runs_says():
    with FlopCounterMode(display=False) as counted:
        orthogonal(torch.ones(40, 10))
    assert counted.get_total_flops() == 2 * (2 * 40 * 10**2 + 17 * 10**3)  # a sum is one as well
