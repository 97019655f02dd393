"""What an optimizer shows and takes: its parameter groups, its state, hooks, and classes of one's own."""

import pytest

import luge


# ---- parameter groups


def leaf(*shape, value=1.0):
    return luge.full(shape, value, dtype=luge.float64, requires_grad=True)


def test_groups_are_read_and_written_as_dicts():
    a, b = leaf(2), leaf(3)
    optimizer = luge.optim.Adam([{"params": a}, {"params": [b], "lr": 0.5, "name": "head"}], lr=0.1, betas=(0.8, 0.9))
    first, second = optimizer.param_groups
    assert first["params"][0] is a and second["params"][0] is b and second["name"] == "head"
    assert first["lr"] == 0.1 and second["lr"] == 0.5 and first["betas"] == (0.8, 0.9) and first["amsgrad"] is False
    assert list(first)[:5] == ["params", "lr", "betas", "eps", "weight_decay"]
    second["betas"] = (0.5, 0.6)
    second["initial_lr"] = 0.5
    second.setdefault("max_lr", 3)
    assert second["betas"] == (0.5, 0.6) and dict(second)["initial_lr"] == 0.5 and second["max_lr"] == 3
    assert optimizer.defaults["lr"] == 0.1 and "Parameter Group 1" in repr(optimizer) and len(optimizer.param_groups) == 2
    with pytest.raises(ValueError):
        second["lr"] = -1
    with pytest.raises(ValueError):
        first["betas"] = (0.5, 1.0)
    with pytest.raises(TypeError):
        first["betas"] = 0.5
    with pytest.raises(ValueError):
        first["params"] = [b]
    with pytest.raises(KeyError):
        first["unknown"]
    assert first["betas"][0] == 0.8 and second["lr"] == 0.5


def test_a_float32_group_shows_the_number_that_was_given():
    x = luge.ones(2, requires_grad=True)
    optimizer = luge.optim.SGD([x], lr=0.1)
    assert optimizer.param_groups[0]["lr"] == 0.1
    optimizer.set_lr(0.25)
    assert optimizer.param_groups[0]["lr"] == 0.25


def test_a_captured_step_follows_what_is_written():
    a, b = leaf(2), leaf(3)
    optimizer = luge.optim.SGD([{"params": [a]}, {"params": [b], "momentum": 0.5}], lr=0.25)

    def step():
        optimizer.zero_grad()
        (a.sum() + b.sum()).backward()
        optimizer.step()

    run = luge.capture(step)
    run()
    optimizer.param_groups[0]["lr"] = 0.5
    optimizer.param_groups[1]["momentum"] = 0.25
    run()
    assert a.tolist() == [0.25, 0.25] and b.tolist() == [1 - 0.25 - 0.25 * 1.25] * 3
    optimizer.param_groups[0]["momentum"] = 0.5
    with pytest.raises(luge.CaptureError, match="momentum"):
        run()
    optimizer.param_groups[0]["maximize"] = True
    step()
    assert a.tolist() == [0.75, 0.75]


def test_a_first_momentum_begins_with_the_gradient():
    a = leaf(1)
    optimizer = luge.optim.SGD([a], lr=1.0, dampening=0.5)
    for _ in range(2):
        optimizer.zero_grad()
        a.sum().backward()
        optimizer.step()
    optimizer.param_groups[0]["momentum"] = 0.5
    before = a.item()
    optimizer.step()
    assert a.item() == before - 1


def test_groups_can_be_added():
    a, b = leaf(2), leaf(3)
    optimizer = luge.optim.SGD([a], lr=0.25)
    optimizer.add_param_group({"params": [b], "lr": 0.5})
    (a.sum() + b.sum()).backward()
    optimizer.step()
    assert a.tolist() == [0.75] * 2 and b.tolist() == [0.5] * 3 and len(optimizer.param_groups) == 2
    optimizer.zero_grad()
    assert a.grad.tolist() == [0] * 2 and b.grad.tolist() == [0] * 3
    with pytest.raises(ValueError):
        optimizer.add_param_group({"params": [a]})
    with pytest.raises(TypeError):
        optimizer.add_param_group([b])
    with pytest.raises(ValueError):
        optimizer.add_param_group({"lr": 0.5})
    assert len(optimizer.param_groups) == 2


def test_parts_of_an_arena():
    params = luge.Parameters(dtype=luge.float64)
    a, b, c = (params.add(name, 2, luge.init.ones()) for name in "abc")
    body, head = luge.optim.SGD([a, c], lr=0.25), luge.optim.Adam([b], lr=0.5)
    (a + b + c).sum().backward()
    body.step()
    assert a.tolist() == c.tolist() == [0.75] * 2 and b.tolist() == [1, 1]
    body.zero_grad()
    head.step()
    assert [round(v, 6) for v in b.tolist()] == [0.5] * 2
    body.step()
    assert a.tolist() == [0.75] * 2 and body.parameters.names() == ["a", "b", "c"]


def test_named_parameters():
    a, b = leaf(2), leaf(3)
    optimizer = luge.optim.SGD([("a", a), ("b", b)], lr=0.25)
    assert optimizer.param_groups[0]["param_names"] == ["a", "b"]
    assert optimizer.state_dict()["param_groups"][0]["param_names"] == ["a", "b"]
    with pytest.raises(ValueError):
        luge.optim.SGD([("a", leaf(1)), leaf(1)])
    with pytest.raises(ValueError):
        luge.optim.SGD([("a", leaf(1)), ("a", leaf(1))])
    with pytest.raises(ValueError):
        luge.optim.SGD([{"params": [("a", leaf(1))]}, {"params": [leaf(1)]}])


def test_performance_options_have_no_effect():
    x = leaf(2)
    optimizer = luge.optim.Adam([x], foreach=True, fused=False, capturable=True, differentiable=False)
    assert optimizer.param_groups[0]["foreach"] is True and optimizer.param_groups[0]["capturable"] is True
    with pytest.raises(ValueError, match="differentiable"):
        luge.optim.Adam([leaf(2)], differentiable=True)


@pytest.mark.parametrize("action, error", [
    (lambda x: luge.optim.SGD([{"params": [x]}, {"params": [x]}]), ValueError), (lambda x: luge.optim.SGD([{"lr": 1}]), ValueError),
    (lambda x: luge.optim.SGD([{"params": []}]), ValueError), (lambda x: luge.optim.SGD({"params": [x]}), TypeError),
    (lambda x: luge.optim.SGD([{"params": [x]}, x]), TypeError), (lambda x: luge.optim.SGD([x * 2]), ValueError),
    (lambda x: luge.optim.SGD([{"params": [x], "lr": -1}]), ValueError), (lambda x: luge.optim.SGD({x}), TypeError),
    (lambda x: luge.optim.SGD([{"params": [x], "nesterov": True}]), ValueError),
    (lambda x: luge.optim.Rprop([x], etas=(1.5, 1.2)), ValueError), (lambda x: luge.optim.Rprop([x], etas=(0.5, 0.9)), ValueError),
    (lambda x: luge.optim.Adadelta([x], rho=1.5), ValueError), (lambda x: luge.optim.Lion([x], betas=(0.9, 1.0)), ValueError),
    (lambda x: luge.optim.NAdam([x], momentum_decay=-1), ValueError), (lambda x: luge.optim.ASGD([x], lambd=-1), ValueError),
    (lambda x: luge.optim.Muon([x]), ValueError), (lambda x: luge.optim.Muon([leaf(2, 2)], lr=-1), ValueError),
    (lambda x: luge.optim.Muon([leaf(2, 2)], adjust_lr_fn="none"), ValueError), (lambda x: luge.optim.LBFGS([x], lr=-1), ValueError),
    (lambda x: luge.optim.LBFGS([x], line_search_fn="armijo"), ValueError), (lambda x: luge.optim.LBFGS([x]).step(), TypeError),
    (lambda x: luge.optim.Optimizer([x], {"lr": 1}), TypeError), (lambda x: luge.optim.Adam([x], lr=0.1, unknown=1), TypeError),
])  # fmt: skip
def test_bad_groups(action, error):
    x = leaf(2)
    with pytest.raises(error):
        action(x)
    luge.optim.SGD([x], lr=0.5)  # nothing of it has changed


# ---- state


def test_state_is_a_mapping_from_parameters():
    a, b = leaf(2), leaf(3)
    optimizer = luge.optim.Adam([a, b], lr=0.1)
    assert len(optimizer.state) == 0 and a not in optimizer.state
    a.sum().backward()
    b.sum().backward()
    optimizer.step()
    assert list(optimizer.state[b]) == ["step", "exp_avg", "exp_avg_sq"] and optimizer.state[b]["step"].item() == 1
    assert optimizer.state[b]["exp_avg"].shape == (3,) and len(optimizer.state) == 2 and a in optimizer.state
    optimizer.state[a]["exp_avg"].zero_()
    assert optimizer.state[a]["exp_avg"].tolist() == [0, 0]


def test_a_state_dict_of_other_groups_is_refused():
    a, b = leaf(2), leaf(3)
    optimizer = luge.optim.Adam([{"params": [a]}, {"params": [b]}])
    saved = optimizer.state_dict()
    with pytest.raises(ValueError):
        luge.optim.Adam([leaf(2)]).load_state_dict(saved)
    with pytest.raises(ValueError):
        luge.optim.Adam([{"params": [leaf(2), leaf(1)]}, {"params": [leaf(3)]}]).load_state_dict(saved)
    (a.sum() + b.sum()).backward()
    optimizer.step()
    other = luge.optim.Adam([{"params": [leaf(4)]}, {"params": [leaf(3)]}], lr=0.5)
    with pytest.raises(ValueError, match="shape"):
        other.load_state_dict(optimizer.state_dict())
    assert other.param_groups[0]["lr"] == 0.5
    one = luge.optim.Adam([leaf(2), leaf(3)])
    uneven = {"state": {0: {"step": 1}, 1: {"step": 2}}, "param_groups": one.state_dict()["param_groups"]}
    with pytest.raises(ValueError, match="counted"):
        one.load_state_dict(uneven)


def test_hooks():
    x = leaf(1)
    optimizer, seen = luge.optim.SGD([x], lr=0.5), []
    before = optimizer.register_step_pre_hook(lambda *given: seen.append(("before", given[0] is optimizer)))
    after = optimizer.register_step_post_hook(lambda *given: seen.append(("after", x.item())))
    x.sum().backward()
    optimizer.step()
    assert seen == [("before", True), ("after", 0.5)]
    before.remove()
    after.remove()
    optimizer.step()
    assert len(seen) == 2


def test_a_class_of_ones_own():
    class Signs(luge.optim.Optimizer):
        def __init__(self, params, lr=0.1):
            super().__init__(params, {"lr": lr, "scale": 2})

        def step(self, closure=None):
            with luge.no_grad():
                for group in self.param_groups:
                    for p in group["params"]:
                        self.state[p]["count"] = self.state[p].get("count", 0) + 1
                        p.sub_(luge.sign(p.grad) * group["lr"] * group["scale"])

    a, b = leaf(2), leaf(3)
    optimizer = Signs([{"params": [a]}, {"params": [b], "lr": 0.25, "scale": 1}], lr=0.125)
    (a.sum() - b.sum()).backward()
    optimizer.step()
    assert a.tolist() == [0.75] * 2 and b.tolist() == [1.25] * 3 and optimizer.state[b] == {"count": 1}
    other = Signs([{"params": [leaf(2)]}, {"params": [leaf(3)]}])
    other.load_state_dict(optimizer.state_dict())
    assert [group["lr"] for group in other.param_groups] == [0.125, 0.25]
    assert other.state[other.param_groups[1]["params"][0]] == {"count": 1}
