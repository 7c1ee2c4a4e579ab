"""The plain loops that nearly every tutorial has: what the book's own are timed against.

Nothing here imports from ``helpers``: a model of nn.Embedding, nn.RNN, nn.LSTM or nn.GRU and
nn.Linear, a DataLoader over windows, Adam, clipping, and a sampler that calls the model for
each character.
"""

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset


class Windows(Dataset):
    """Disjoint windows of a text of ids (N,): inputs and the same one character later."""

    def __init__(self, ids, seq_len=50):
        self.ids, self.seq_len = torch.as_tensor(np.asarray(ids)), seq_len

    def __len__(self):
        return (len(self.ids) - 1) // self.seq_len

    def __getitem__(self, k):
        start = k * self.seq_len
        piece = self.ids[start : start + self.seq_len + 1]
        return piece[:-1], piece[1:]


class PlainRNN(nn.Module):
    """Ids (B, T) -> logits (B, T, V), state."""

    def __init__(self, vocab_size, cell="lstm", embed_size=32, hidden_size=128):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embed_size)
        kind = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}[cell]
        self.recurrent = kind(embed_size, hidden_size, batch_first=True)
        self.output = nn.Linear(hidden_size, vocab_size)

    def forward(self, ids, state=None):
        hidden, state = self.recurrent(self.embedding(ids), state)
        return self.output(hidden), state


def train(model, ids, epochs=10, steps=None, seq_len=50, batch_size=64, lr=3e-3, clip=5.0, seed=42):
    """Train in place -> the loss of each update."""
    windows = Windows(ids, seq_len)
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    generator = torch.Generator().manual_seed(seed)
    losses = []
    model.train()
    for _ in range(epochs):
        order = torch.randperm(len(windows), generator=generator).tolist()
        for x, y in DataLoader(windows, batch_size, sampler=order, drop_last=True):
            optimizer.zero_grad()
            logits, _ = model(x)
            loss = F.cross_entropy(logits.reshape(-1, logits.shape[-1]), y.reshape(-1))
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), clip)
            optimizer.step()
            losses.append(loss.item())
            if len(losses) == steps:
                return losses
    return losses


@torch.no_grad()
def generate(model, vocab, prompt, length=200, temperature=1.0, seed=None):
    """The prompt and ``length`` characters more; the model is called for each of them."""
    model.eval()
    rng = np.random.default_rng([seed, 0])
    ids = torch.as_tensor(vocab.encode(prompt))[None]
    state, text = None, prompt
    for _ in range(length):
        logits, state = model(ids, state)
        p = torch.softmax(logits[0, -1].double() / temperature, dim=0).cumsum(0)
        next_id = int(torch.searchsorted(p, rng.random() * p[-1].item(), right=True))
        text += vocab.decode([next_id])
        ids = torch.tensor([[next_id]])
    return text


@torch.no_grad()
def generate_again(model, vocab, prompt, length=200, context=50, seed=None):
    """The same for a Transformer without a cache: each character reads its context again."""
    model.eval()
    rng = np.random.default_rng([seed, 0])
    ids = [int(k) for k in vocab.encode(prompt)]
    for _ in range(length):
        logits, _ = model(torch.tensor([ids[-context:]]))
        p = torch.softmax(logits[0, -1].double(), dim=0).cumsum(0)
        ids.append(int(torch.searchsorted(p, rng.random() * p[-1].item(), right=True)))
    return vocab.decode(ids)
