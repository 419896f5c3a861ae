"""The parts of recurrent models: layers over time, and attention to the source."""

from __future__ import annotations

import warnings

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from interlingua.model.linear import Linear

__all__ = ["AdditiveAttention", "BidirectionalLayer", "MultiplicativeAttention", "Recurrence"]

CELLS = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}
GATES = {"rnn": 1, "gru": 3, "lstm": 4}

# cuDNN copies weights that do not lie side by side, as an optimizer of one flat vector leaves them: a layer's
# few are soon copied.
warnings.filterwarnings("ignore", "RNN module weights are not part of single contiguous chunk", UserWarning)


class Recurrence(nn.Module):
    """One layer in one direction, by the library's fused sequence kernel.

    A state is one tensor, batch first: the hidden state and, of an LSTM, the cell state.

    Args:
        cell: "rnn", "gru" or "lstm".
        inputs: width of what comes in.
        dim: width of the states.
    """

    def __init__(self, cell: str, inputs: int, dim: int) -> None:
        super().__init__()
        self.parts = 2 if cell == "lstm" else 1
        self.layer = CELLS[cell](inputs, dim, batch_first=True)
        for name, parameter in self.layer.named_parameters():
            if name.startswith("bias"):
                nn.init.zeros_(parameter)
                continue
            for gate in parameter.chunk(GATES[cell]):  # each gate is a matrix of its own
                (nn.init.orthogonal_ if name.startswith("weight_hh") else nn.init.xavier_uniform_)(gate)
        if cell == "lstm":  # an open forget gate to begin with (Jozefowicz et al. 2015, 2.2)
            nn.init.ones_(self.layer.bias_ih_l0[dim : 2 * dim])

    def forward(
        self, x: Float[Tensor, "batch length inputs"], state: Float[Tensor, "batch parts dim"] | None = None
    ) -> tuple[Float[Tensor, "batch length dim"], Float[Tensor, "batch parts dim"]]:
        """The hidden state after each input, and the state after the last; None starts from zeros."""
        parts = None if state is None else state.transpose(0, 1).contiguous().split(1)
        if parts is not None and self.parts == 1:
            parts = parts[0]
        outputs, last = self.layer(x, parts)
        last = torch.cat(last) if self.parts == 2 else last
        return outputs, last.transpose(0, 1)


class BidirectionalLayer(nn.Module):
    """A layer that reads forwards and one that reads backwards (Schuster & Paliwal 1997).

    Args:
        cell: "rnn", "gru" or "lstm".
        dim: width of what comes in and of what goes out; each direction has half of it.
    """

    def __init__(self, cell: str, dim: int) -> None:
        super().__init__()
        self.forwards = Recurrence(cell, dim, dim // 2)
        self.backwards = Recurrence(cell, dim, dim // 2)

    def forward(
        self, x: Float[Tensor, "batch source dim"], lengths: Int[Tensor, " batch"]
    ) -> tuple[Float[Tensor, "batch source dim"], Float[Tensor, "batch dim"]]:
        """The memory, and what each direction came to at its end.

        Each row is reversed within its own length, so that both directions meet padding last: it changes
        nothing, and the kernel runs over a plain tensor.
        """
        places = torch.arange(x.shape[1], device=x.device)
        last = lengths.unsqueeze(1) - 1
        mirror = torch.where(places <= last, last - places, places)  # (batch, source)
        ahead, _ = self.forwards(x)
        back, _ = self.backwards(_pick(x, mirror))
        ends = torch.cat([_pick(ahead, last), _pick(back, last)], dim=2)
        return torch.cat([ahead, _pick(back, mirror)], dim=2), ends.squeeze(1)


class AdditiveAttention(nn.Module):
    """score(query, key) = v . tanh(W query + U key) (Bahdanau et al. 2015, A.1.2).

    Args:
        dim: width of queries, memory and scores' inner layer.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.query = Linear(dim, dim)
        self.key = Linear(dim, dim, bias=False)
        self.energy = Linear(dim, 1, bias=False)
        _initialise(self)

    def forward(
        self,
        queries: Float[Tensor, "batch query dim"],
        keys: Float[Tensor, "batch source dim"],
        memory: Float[Tensor, "batch source dim"],
        bias: Float[Tensor, "batch 1 source"],
    ) -> tuple[Float[Tensor, "batch query dim"], Float[Tensor, "batch query source"]]:
        """What each query sees, and how much of it comes from where; `keys` is `key(memory)`."""
        mixed = torch.tanh(self.query(queries).unsqueeze(2) + keys.unsqueeze(1))
        weights = torch.softmax(self.energy(mixed).squeeze(3) + bias, dim=-1)
        return torch.bmm(weights, memory), weights


class MultiplicativeAttention(nn.Module):
    """score(query, key) = query . W key (Luong et al. 2015, 3.1, "general").

    Args:
        dim: width of queries and memory.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.key = Linear(dim, dim, bias=False)
        _initialise(self)

    def forward(
        self,
        queries: Float[Tensor, "batch query dim"],
        keys: Float[Tensor, "batch source dim"],
        memory: Float[Tensor, "batch source dim"],
        bias: Float[Tensor, "batch 1 source"],
    ) -> tuple[Float[Tensor, "batch query dim"], Float[Tensor, "batch query source"]]:
        """What each query sees, and how much of it comes from where; `keys` is `key(memory)`."""
        weights = torch.softmax(torch.baddbmm(bias, queries, keys.transpose(1, 2)), dim=-1)
        return torch.bmm(weights, memory), weights


def _pick(
    x: Float[Tensor, "batch length dim"], places: Int[Tensor, "batch wanted"]
) -> Float[Tensor, "batch wanted dim"]:
    return x.gather(1, places.unsqueeze(2).expand(-1, -1, x.shape[2]))


def _initialise(module: nn.Module) -> None:
    for parameter in module.parameters():
        (nn.init.xavier_uniform_ if parameter.dim() == 2 else nn.init.zeros_)(parameter)
