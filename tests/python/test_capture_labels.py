"""Labels that come from outside of a captured step are checked before every replay."""

import pytest

import luge
from luge.nn import functional as F


def nll(x, y, **options):
    return F.nll_loss(x.log_softmax(1), y, **options)


@pytest.mark.parametrize("loss", [F.cross_entropy, nll])
@pytest.mark.parametrize(
    "options",
    [{}, {"ignore_index": 1}, {"ignore_index": -1}, {"weight": luge.tensor([0.5, 2.0])}, {"reduction": "sum"}, {"reduction": "none"}],
)
@pytest.mark.parametrize("dtype", [luge.int64, luge.int32])
@pytest.mark.parametrize("wrong", [2, -7, -100])
def test_a_label_out_of_range_leaves_everything_as_it_was(loss, options, dtype, wrong):
    model = luge.nn.Linear(4, 2)
    optimizer = luge.optim.SGD(model.parameters(), lr=0.1)

    @luge.capture
    def step(x, y):
        optimizer.zero_grad()
        losses = loss(model(x), y, **options)
        losses.sum().backward()
        optimizer.step()
        return losses

    x, right = luge.randn(5, 4), luge.tensor([0, 1, 1, 0, 1], dtype=dtype)
    for _ in range(3):
        step(x, right)
    before = model.weight.tolist()
    labels = luge.tensor([0, 1, wrong, 0, 1], dtype=dtype)
    if wrong == options.get("ignore_index", -100):
        assert step(x, labels).isfinite().all().item()
        return
    with pytest.raises(IndexError, match=f"index {wrong} at position 2 is out of range; allowed are 0 to 1"):
        step(x, labels)
    assert model.weight.tolist() == before
    assert step(x, right).isfinite().all().item()


def test_labels_of_bytes_and_labels_that_are_refilled_are_checked():
    x, labels = luge.randn(3, 2).log_softmax(1), luge.tensor([0, 1, 1], dtype=luge.uint8)
    step = luge.capture(lambda: F.nll_loss(x, labels))
    expected = [step().item() for _ in range(3)][-1]
    labels.copy_(luge.tensor([0, 1, 9], dtype=luge.uint8))
    with pytest.raises(IndexError, match="nll_loss: index 9 at position 2 is out of range"):
        step()
    labels.copy_(luge.tensor([0, 1, 1], dtype=luge.uint8))
    assert step().item() == expected
