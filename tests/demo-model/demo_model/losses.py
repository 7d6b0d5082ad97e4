"""What training makes small: the cross entropy of what is written, and three that teach the encoder and the
attention faster: connectionist temporal classification of phones, the phone of each position where the voice
told it, and where the attention should look."""
import torch
import torch.nn.functional as f

from .windows import SILENT

GUIDE_WIDTH = 18.0  # positions: standard deviation of where a token is looked for
NO_SPEECH_SHARE = .8  # of the target where nothing is said; the rest says that time 0 begins


def written(scores, wanted, lexicon):
    """Cross entropy, and the share of right rows among text and among timestamps. `scores` and `wanted`
    are those of the positions that have a target."""
    log_p = f.log_softmax(scores, -1)
    row = wanted.clamp(min=0)
    loss = -log_p.gather(1, row[:, None])[:, 0]
    # A timestamp shares a little with its neighbours of 0.1 s.
    first, last = lexicon.first_timestamp, lexicon.unknown - 1
    is_time = row >= first
    beside = log_p.gather(1, (row + 1).clamp(max=last)[:, None])[:, 0] \
        + log_p.gather(1, (row - 1).clamp(min=first)[:, None])[:, 0]
    loss = torch.where(is_time, .7 * loss - .15 * beside, loss)
    silent = -(NO_SPEECH_SHARE * log_p[:, lexicon.no_speech] + (1 - NO_SPEECH_SHARE) * log_p[:, first])
    loss = torch.where(wanted == SILENT, silent, loss)
    right = (log_p.argmax(1) == wanted).float()
    mean = lambda mask: (right * mask).sum() / mask.sum().clamp(min=1)
    return loss.mean(), mean((wanted >= 0) & ~is_time), mean(is_time)


def phones(scores, batch):
    """CTC over the windows whose phones are all known."""
    rows = batch["voiced"]
    if not len(rows):
        return scores.sum() * 0
    log_p = f.log_softmax(scores[rows].float(), -1).transpose(0, 1)
    lengths = torch.full((len(rows),), log_p.shape[0], device=scores.device)
    return f.ctc_loss(log_p, batch["phones"], lengths, batch["phone_counts"], zero_infinity=True)


def positions(scores, labels):
    """Cross entropy of the phone of each 20 ms."""
    known = labels >= 0
    if not known.any():
        return scores.sum() * 0
    return f.cross_entropy(scores[known].float(), labels[known])


def guide(blocks, where):
    """Half of the heads of each layer look near the place where a token is said."""
    items, steps = (where >= 0).nonzero(as_tuple=True)
    if not len(items):
        return where.sum() * 0
    total = 0.0
    for block in blocks:
        weights = block.cross_attn.last
        at = torch.arange(weights.shape[-1], device=where.device)
        near = torch.exp(-(at[None] - where[items, steps][:, None]) ** 2 / (2 * GUIDE_WIDTH ** 2))
        looked = weights[items, :weights.shape[1] // 2, steps].float()
        total = total - ((looked * near[:, None]).sum(-1) + 1e-4).log().mean()
        block.cross_attn.last = None
    return total / len(blocks)
