"""Twenty-six small modules as their authors write them, for make-gradient-fixtures.py.

None was written with the rules of this package in mind: the idioms come from published models, so that
the exporters choose the operators, the lists of axes and the 64-bit ends of slices.
"""

import math

import torch
from torch import nn
from torch.nn import functional as F


class Differences(nn.Module):
    """A feature with its change over time: slices to the end and up to the last."""

    def __init__(self):
        super().__init__()
        self.mix = nn.Linear(6, 4)

    def forward(self, x):
        changes = x[:, 1:] - x[:, :-1]
        return self.mix(torch.cat([x[:, 1:], changes], dim=-1))


class Rotary(nn.Module):
    """Rotary positions over interleaved pairs (Su et al., 2021)."""

    def __init__(self, width=6):
        super().__init__()
        self.project = nn.Linear(width, width)
        rates = 1.0 / (100 ** (torch.arange(0, width, 2) / width))
        angles = torch.arange(5)[:, None] * rates[None]
        self.register_buffer("cos", angles.cos())
        self.register_buffer("sin", angles.sin())

    def forward(self, x):
        x = self.project(x)
        even, odd = x[..., ::2], x[..., 1::2]
        turned = torch.stack([even * self.cos - odd * self.sin, even * self.sin + odd * self.cos], dim=-1)
        return turned.flatten(-2)


class BothWays(nn.Module):
    """One layer over a sequence and over its mirror image."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(3, 4, 3, padding=1)

    def forward(self, x):
        back = self.conv(x.flip(-1)).flip(-1)
        return self.conv(x) * torch.sigmoid(back)


class Picks(nn.Module):
    """Rows, columns and single elements by lists of indices."""

    def __init__(self):
        super().__init__()
        self.table = nn.Parameter(torch.randn(5, 4))

    def forward(self, x):
        rows = self.table[[4, 0, 0, 2]]
        diagonal = self.table[torch.tensor([0, 1, 3]), torch.tensor([2, 2, 0])]
        return x[:, [3, 1, 1, 0]] * rows[:, -1] + diagonal.sum() * x[:, -4:]


class Heads(nn.Module):
    """PyTorch's own attention with a causal mask."""

    def __init__(self):
        super().__init__()
        self.attend = nn.MultiheadAttention(8, 2, batch_first=True)
        self.register_buffer("mask", torch.triu(torch.ones(5, 5, dtype=torch.bool), 1))

    def forward(self, x):
        return self.attend(x, x, x, attn_mask=self.mask, need_weights=False)[0]


class Scaled(nn.Module):
    """Queries of one sequence, keys and values of another, with fewer heads of keys."""

    def __init__(self):
        super().__init__()
        self.q, self.kv = nn.Linear(8, 8), nn.Linear(6, 8)

    def forward(self, x, y):
        q = self.q(x).unflatten(-1, (4, 2)).transpose(1, 2)
        k, v = self.kv(y).unflatten(-1, (2, 4)).transpose(1, 2).chunk(2, dim=-1)
        k, v = (each.repeat_interleave(2, dim=1) for each in (k, v))
        return F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)


class Windows(nn.Module):
    """Attention in shifted windows with a table of relative positions (Liu et al., 2021)."""

    def __init__(self, width=4, window=2):
        super().__init__()
        self.window = window
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.bias = nn.Parameter(torch.randn((2 * window - 1) ** 2))
        at = torch.stack(torch.meshgrid(torch.arange(window), torch.arange(window), indexing="ij")).flatten(1)
        apart = at[:, :, None] - at[:, None, :] + window - 1
        self.register_buffer("place", apart[0] * (2 * window - 1) + apart[1])

    def forward(self, x):
        batch, height, width, channels = x.shape
        w = self.window
        x = torch.roll(x, shifts=(-1, -1), dims=(1, 2))
        x = x.view(batch, height // w, w, width // w, w, channels).permute(0, 1, 3, 2, 4, 5)
        q, k, v = self.qkv(x.reshape(-1, w * w, channels)).chunk(3, dim=-1)
        scores = q @ k.transpose(-2, -1) / math.sqrt(channels) + self.bias[self.place]
        x = scores.softmax(-1) @ v
        x = x.view(batch, height // w, width // w, w, w, channels).permute(0, 1, 3, 2, 4, 5)
        return torch.roll(x.reshape(batch, height, width, channels), shifts=(1, 1), dims=(1, 2))


class Patches(nn.Module):
    """A vision transformer's stem and its answer from the class token (Dosovitskiy et al., 2020)."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Conv2d(3, 6, 4, stride=4)
        self.token = nn.Parameter(torch.randn(1, 1, 6))
        self.positions = nn.Parameter(torch.randn(1, 5, 6))
        self.layer = nn.TransformerEncoderLayer(6, 2, 12, dropout=0.0, activation="gelu", batch_first=True)
        self.head = nn.Linear(6, 3)

    def forward(self, x):
        x = self.embed(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], dim=1) + self.positions
        return self.head(self.layer(x)[:, 0])


class Tokens(nn.Module):
    """Embeddings of tokens and of positions, and the table again as the output layer."""

    def __init__(self):
        super().__init__()
        self.tokens = nn.Embedding(9, 4)
        self.positions = nn.Embedding(16, 4)
        self.norm = nn.LayerNorm(4)

    def forward(self, tokens):
        at = torch.arange(tokens.shape[1], device=tokens.device)
        x = self.norm(self.tokens(tokens) + self.positions(at))
        return x @ self.tokens.weight.t()


class Bags(nn.Module):
    """The mean of the embeddings of known tokens, whose padding is masked."""

    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(9, 3)

    def forward(self, tokens):
        known = (tokens != 0).unsqueeze(-1).float()
        return (self.table(tokens) * known).sum(1) / known.sum(1).clamp(min=1)


class Contractions(nn.Module):
    """Products in Einstein's notation, with ellipses, repeated and summed letters."""

    def __init__(self):
        super().__init__()
        self.core = nn.Parameter(torch.randn(3, 4, 2))
        self.weight = nn.Parameter(torch.randn(5, 4))

    def forward(self, x, y):
        outer = torch.einsum("bi,bj->bij", x, y)
        mixed = torch.einsum("bij,ijk->bk", outer, self.core)
        pooled = torch.einsum("...j,oj->...o", outer, self.weight)
        return mixed, torch.einsum("bio,bio->bo", pooled, pooled)


class Pairwise(nn.Module):
    """Cosines and distances between rows."""

    def __init__(self):
        super().__init__()
        self.project = nn.Linear(4, 3, bias=False)

    def forward(self, x, y):
        y = self.project(y)
        cosines = F.normalize(x, dim=-1) @ F.normalize(y, dim=-1).t()
        return cosines, (x[:, None] - y[None]).norm(dim=-1), F.cosine_similarity(x, y)


class Shuffle(nn.Module):
    """Grouped convolutions with a shuffle of channels between them (Zhang et al., 2017)."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(4, 6, 1, groups=2)
        self.middle = nn.Conv2d(6, 6, 3, stride=2, padding=1, groups=6)
        self.last = nn.Conv2d(6, 4, (1, 3), groups=2, padding="same")

    def forward(self, x):
        x = F.relu(self.first(x))
        batch, channels, height, width = x.shape
        x = x.view(batch, 2, channels // 2, height, width).transpose(1, 2).reshape(batch, channels, height, width)
        return self.last(self.middle(x))


class Decoder(nn.Module):
    """Transposed convolutions: with groups, dilation, output padding, in one and two axes."""

    def __init__(self):
        super().__init__()
        self.line = nn.ConvTranspose1d(4, 6, 3, stride=2, padding=1, output_padding=1, groups=2, dilation=2)
        self.plane = nn.ConvTranspose2d(6, 2, (3, 2), stride=(2, 1), padding=(1, 0), bias=False)

    def forward(self, x):
        x = F.elu(self.line(x))
        return self.plane(x.unflatten(-1, (2, -1)))


class Causal(nn.Module):
    """A gated causal convolution with a skip (van den Oord et al., 2016)."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(3, 8, 2, dilation=2)
        self.out = nn.Conv1d(4, 3, 1)

    def forward(self, x):
        a, b = self.conv(F.pad(x, (2, 0))).chunk(2, dim=1)
        return x + self.out(torch.tanh(a) * torch.sigmoid(b))


class Chomp(nn.Module):
    """A causal convolution that pads both sides and cuts the end off (Bai et al., 2018)."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(3, 3, 3, padding=4, dilation=2)

    def forward(self, x):
        return F.softplus(self.conv(x)[:, :, :-4].contiguous() + x)


class Borders(nn.Module):
    """Every kind of border, and a negative width that crops."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(2, 3, 3, padding=1, padding_mode="circular")

    def forward(self, x):
        x = self.conv(F.pad(x, (1, -1, 0, 2)))
        return F.pad(F.pad(x, (2, 1, 1, 2), mode="reflect"), (1, 0, 0, 3), mode="replicate")


class Pyramid(nn.Module):
    """Levels of a pyramid that are resized to one another (Lin et al., 2017)."""

    def __init__(self):
        super().__init__()
        self.side = nn.Conv2d(2, 3, 1)
        self.top = nn.Conv2d(2, 3, 3, stride=2, padding=1)

    def forward(self, x):
        top = F.silu(self.top(x))
        merged = self.side(x) + F.interpolate(top, size=x.shape[-2:], mode="nearest")
        return F.interpolate(merged, scale_factor=1.5, mode="bilinear", align_corners=False)


class SuperResolution(nn.Module):
    """Channels that become pixels (Shi et al., 2016), and pixels that become channels."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(2, 8, 3, padding=1)
        self.after = nn.Conv2d(8, 2, 1)

    def forward(self, x):
        large = F.pixel_shuffle(torch.tanh(self.conv(x)), 2)
        return self.after(F.pixel_unshuffle(large, 2))


class Gates(nn.Module):
    """Linear units with gates, a residual and a root mean square norm."""

    def __init__(self):
        super().__init__()
        self.up = nn.Linear(5, 12)
        self.down = nn.Linear(6, 5)
        self.weight = nn.Parameter(torch.rand(5) + 0.5)

    def forward(self, x):
        x = x + self.down(F.glu(self.up(x)))
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6) * self.weight


class Excite(nn.Module):
    """Channels weighed by their means (Hu et al., 2017)."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.squeeze, self.expand = nn.Linear(4, 2), nn.Linear(2, 4)

    def forward(self, x):
        x = self.conv(x)
        means = x.mean((2, 3))
        scale = F.hardsigmoid(self.expand(F.relu(self.squeeze(means))))
        return F.adaptive_avg_pool2d(x * scale[..., None, None], (3, 2))


class LastState(nn.Module):
    """The last state of a recurrent layer, and its mean over time."""

    def __init__(self):
        super().__init__()
        self.recur = nn.GRU(3, 4, batch_first=True)
        self.head = nn.Linear(8, 2)

    def forward(self, x):
        states, _ = self.recur(x)
        return self.head(torch.cat([states[:, -1], states.mean(1)], dim=-1))


class Columns(nn.Module):
    """A convolution as a product with the columns of an image."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(3, 8))

    def forward(self, x):
        return self.weight @ F.unfold(x, (2, 2), stride=1)


class Written(nn.Module):
    """Values that are written into a copy: a block, and rows by index."""

    def __init__(self):
        super().__init__()
        self.block = nn.Parameter(torch.randn(2, 2))
        self.rows = nn.Parameter(torch.randn(2, 4))

    def forward(self, x):
        x = x.clone()
        x[1:3, :2] = self.block
        return x.index_add(0, torch.tensor([3, 0]), self.rows)


class Repeated(nn.Module):
    """Copies of rows: expanded, repeated, stacked and taken apart again."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.randn(3, 1))

    def forward(self, x):
        wide = (x[:, None] * self.scale).repeat(1, 2, 1)
        first, *others = wide.unbind(1)
        return torch.stack(others, dim=-1) - first[..., None].expand(-1, -1, 5)


class Graph(nn.Module):
    """Messages along the edges of a graph, added where they arrive (Kipf and Welling, 2016)."""

    def __init__(self):
        super().__init__()
        self.message = nn.Linear(3, 2)
        self.register_buffer("source", torch.tensor([0, 1, 1, 3, 2]))
        self.register_buffer("target", torch.tensor([1, 0, 2, 2, 3]))

    def forward(self, x):
        sent = F.leaky_relu(self.message(x)).index_select(0, self.source)
        zeros = torch.zeros(4, 2)
        return zeros.scatter_add(0, self.target[:, None].expand(-1, 2), sent)


def modules():
    """Modules and their inputs by name."""

    def x(*shape):
        return {"x": torch.randn(*shape)}

    def xy(first, second):
        return {"x": torch.randn(*first), "y": torch.randn(*second)}

    tokens = {"x": torch.tensor([[3, 1, 4, 1, 0], [5, 8, 2, 0, 0]])}
    return {
        "differences": (Differences(), x(2, 5, 3)),
        "rotary": (Rotary(), x(2, 5, 6)),
        "both-ways": (BothWays(), x(2, 3, 7)),
        "picks": (Picks(), x(3, 4)),
        "heads": (Heads(), x(2, 5, 8)),
        "scaled": (Scaled(), xy((2, 3, 8), (2, 4, 6))),
        "windows": (Windows(), x(2, 4, 4, 4)),
        "patches": (Patches(), x(2, 3, 8, 8)),
        "tokens": (Tokens(), tokens),
        "bags": (Bags(), tokens),
        "contractions": (Contractions(), xy((2, 3), (2, 4))),
        "pairwise": (Pairwise(), xy((3, 3), (3, 4))),
        "shuffle": (Shuffle(), x(2, 4, 5, 5)),
        "decoder": (Decoder(), x(2, 4, 3)),
        "causal": (Causal(), x(2, 3, 6)),
        "chomp": (Chomp(), x(2, 3, 6)),
        "borders": (Borders(), x(2, 2, 5, 5)),
        "pyramid": (Pyramid(), x(2, 2, 6, 5)),
        "super-resolution": (SuperResolution(), x(2, 2, 4, 3)),
        "gates": (Gates(), x(4, 5)),
        "excite": (Excite(), x(2, 3, 6, 4)),
        "last-state": (LastState(), x(2, 4, 3)),
        "columns": (Columns(), x(2, 2, 4, 3)),
        "written": (Written(), x(4, 4)),
        "repeated": (Repeated(), x(2, 4)),
        "graph": (Graph(), x(4, 3)),
    }
