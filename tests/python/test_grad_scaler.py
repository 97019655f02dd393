"""luge.amp.GradScaler: steps beside PyTorch's, sets that skip alone, captured steps, errors."""

import pytest

import luge

INF = float("inf")


def scaled_step(library, losses, **options):
    """What a scaler does over steps whose losses are multiplied by these numbers."""
    p = library.tensor([1.0, 2.0], requires_grad=True)
    optimizer = library.optim.Adam([p], lr=0.1)
    make = library.amp.GradScaler if hasattr(library.amp, "GradScaler") else library.cuda.amp.GradScaler
    scaler = make("cpu", **options)
    seen = []
    for factor in losses:
        optimizer.zero_grad()
        scaler.scale((p * p).sum() * factor).backward()
        scaler.step(optimizer)
        scaler.update()
        seen.append((scaler.get_scale(), p.tolist()))
    return seen, scaler.state_dict()


@pytest.mark.parametrize("losses, options", [
    ([1.0] * 8, {"init_scale": 4.0, "growth_interval": 2}), ([1.0, INF, 1.0, INF, INF, 1.0, 1.0, 1.0], {"init_scale": 256.0, "growth_interval": 3}),
    ([1.0, float("nan"), 1.0], {}), ([1.0, INF, 1.0], {"growth_factor": 3.0, "backoff_factor": 0.25, "growth_interval": 1}),
    ([0.0] * 3, {"init_scale": 2.0**126, "growth_interval": 1}),
])  # fmt: skip
def test_scalers_agree(losses, options):
    torch = pytest.importorskip("torch")
    if not hasattr(torch.amp, "GradScaler"):
        pytest.skip("PyTorch 1.13 has no scaler for the CPU")
    theirs, state = scaled_step(torch, losses, **options)
    ours, own = scaled_step(luge, losses, **options)
    for (scale, values), (other, others) in zip(ours, theirs):
        assert scale == other and values == pytest.approx(others, rel=1e-6)
    assert own == state


def test_a_skipped_step_is_none():
    p = luge.tensor([1.0], requires_grad=True)
    optimizer = luge.optim.Adam([p], lr=0.1)
    scaler = luge.amp.GradScaler("cpu", init_scale=8.0)
    for factor, steps in ((1.0, 1), (INF, 1), (1.0, 2)):
        before, state = p.tolist(), [t.tolist() for t in optimizer._state()]
        optimizer.zero_grad()
        scaler.scale((p * factor).sum()).backward()
        scaler.step(optimizer)
        assert scaler.found_inf(optimizer).item() == (factor == INF)
        scaler.update()
        assert optimizer.steps_taken() == steps
        if factor == INF:
            assert p.tolist() == before and [t.tolist() for t in optimizer._state()] == state
    assert scaler.get_scale() == 4.0


def test_clipping_after_unscale():
    p = luge.tensor([3.0, 4.0], requires_grad=True)
    optimizer = luge.optim.SGD([p], lr=1.0)
    scaler = luge.amp.GradScaler("cpu", init_scale=1024.0)
    scaler.scale((p * p).sum() / 2).backward()
    scaler.unscale_(optimizer)
    assert p.grad.tolist() == [3.0, 4.0]
    luge.nn.clip_grad_norm_([p], 1.0)
    scaler.step(optimizer)
    scaler.update()
    assert p.tolist() == pytest.approx([3 - 0.6, 4 - 0.8], rel=1e-5)


def ensemble(sets, factors, own_scales, captured):
    """Adam over sets whose losses are multiplied, step by step, by these numbers."""
    params = luge.Parameters(sets=sets)
    p = params.add("x", (2,), luge.init.constant(1.0))
    optimizer = luge.optim.Adam(params, lr=0.1)
    scaler = luge.amp.GradScaler("cpu", init_scale=16.0, growth_interval=2, **({"sets": sets} if own_scales else {}))
    factor = luge.ones(sets)

    def step():
        optimizer.zero_grad()
        loss = (p * p).sum(1) * factor
        scaler.scale(loss).sum().backward()
        scaler.step(optimizer)
        scaler.update()

    run = luge.capture(step) if captured else step
    for values in factors:
        factor.copy_(luge.tensor(values))
        run()
    return p.tolist(), scaler.get_scale()


@pytest.mark.parametrize("captured", [False, True])
def test_each_set_skips_alone(captured):
    factors = [[1.0, 1.0, 2.0], [INF, 1.0, 2.0], [1.0, 1.0, INF], [1.0, 1.0, 1.0], [1.0, INF, 1.0]]
    together, scales = ensemble(3, factors, True, captured)
    for i in range(3):
        alone, scale = ensemble(1, [[f[i]] for f in factors], True, captured)
        assert alone[0] == together[i] and scale.item() == scales[i].item()
    shared, scale = ensemble(3, factors, False, captured)
    assert scale == 16.0 * 0.5 * 0.5 * 0.5 and shared != together or shared == together


def test_a_captured_step_skips():
    for captured in (False, True):
        p = luge.tensor([1.0, 2.0], requires_grad=True)
        optimizer = luge.optim.Adam([p], lr=0.1)
        scaler = luge.amp.GradScaler("cpu", init_scale=4.0, growth_interval=2)
        factor = luge.ones(())

        def step():
            optimizer.zero_grad()
            scaler.scale((p * p).sum() * factor).backward()
            scaler.step(optimizer)
            scaler.update()

        run = luge.capture(step) if captured else step
        seen = []
        for value in (1.0, 1.0, INF, 1.0, INF, 1.0, 1.0):
            factor.fill_(value)
            run()
            seen.append((p.tolist(), scaler.get_scale(), optimizer.steps_taken()))
        if captured:
            assert seen == eager
        eager = seen
    assert eager[-1][2] == 5


@pytest.mark.parametrize("half", [False, True])
def test_groups_skip_together(half):
    a, b = luge.ones(2, requires_grad=True), luge.ones(2, requires_grad=True)
    optimizer = luge.optim.Adam([{"params": [a], "lr": 0.5}, {"params": [b]}], lr=0.25)
    scaler = luge.amp.GradScaler("cpu", init_scale=4.0)
    for factor in (1.0, INF, 1.0):
        optimizer.zero_grad()
        loss = a.sum() * factor if half else a.sum() * factor + b.sum()
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
    assert a.tolist() == pytest.approx([0.0, 0.0], abs=1e-5) and b.tolist() == pytest.approx([1.0 if half else 0.5] * 2, abs=1e-5)
    assert optimizer.steps_taken() == 2 and scaler.get_scale() == 2.0


def test_the_scaler_steps_as_the_optimizer_does():
    p = luge.tensor([1.0], requires_grad=True)
    optimizer = luge.optim.SGD([p], lr=1.0)
    calls = []
    optimizer.register_step_post_hook(lambda *args: calls.append(1))
    scaler = luge.amp.GradScaler("cpu")
    scaler.scale(p.sum()).backward()
    scaler.step(optimizer)
    assert calls == [1] and p.item() == 0
    with pytest.raises(TypeError, match="optimizer is of type int"):
        scaler.step(3)


def test_scaler_errors():
    p = luge.tensor([1.0], requires_grad=True)
    optimizer = luge.optim.SGD([p], lr=1.0)
    scaler = luge.amp.GradScaler("cpu")
    for action, error, text in [
        (lambda: luge.amp.GradScaler("cpu", growth_factor=1.0), ValueError, "growth_factor is 1"),
        (lambda: luge.amp.GradScaler("cpu", backoff_factor=1.0), ValueError, "backoff_factor is 1"),
        (lambda: luge.amp.GradScaler("cpu", growth_interval=0), ValueError, "growth_interval is 0"),
        (lambda: luge.amp.GradScaler("cpu", init_scale=0.0), ValueError, "init_scale is 0"),
        (lambda: scaler.update(), ValueError, "neither"), (lambda: scaler.scale(3), ValueError, "outputs is of type int"),
        (lambda: scaler.update(-1.0), ValueError, "new_scale is -1"), (lambda: scaler.load_state_dict({}), RuntimeError, "empty"),
        (lambda: scaler.set_growth_factor(0.5), ValueError, "growth_factor is 0.5"),
        (lambda: luge.amp.GradScaler("cpu", sets=3).scale(luge.ones(())), ValueError, "one loss per set"),
        (lambda: luge.amp.GradScaler("cpu", sets=3).step(optimizer), ValueError, "a scale for each of 3 sets"),
        (lambda: scaler.step(optimizer, lambda: 0), RuntimeError, "closure"),
    ]:  # fmt: skip
        with pytest.raises(error, match=text):
            action()
    scaler.scale(p.sum()).backward()
    scaler.unscale_(optimizer)
    with pytest.raises(ValueError, match="unscale_: it was called"):
        scaler.unscale_(optimizer)
    scaler.step(optimizer)
    with pytest.raises(ValueError, match="was called for this optimizer since"):
        scaler.step(optimizer)
    with pytest.warns(UserWarning, match="no GPU"):
        assert not luge.amp.GradScaler().is_enabled() or luge.cuda.is_available()


def test_a_scaler_that_is_off():
    p = luge.tensor([1.0], requires_grad=True)
    optimizer = luge.optim.SGD([p], lr=1.0)
    scaler = luge.amp.GradScaler("cpu", enabled=False)
    loss = p.sum()
    assert scaler.scale(loss) is loss or scaler.scale(loss).item() == loss.item()
    loss.backward()
    scaler.unscale_(optimizer)
    assert scaler.step(optimizer, lambda: 7) == 7 and p.item() == 0
    scaler.update()
    assert scaler.get_scale() == 1.0 and scaler.state_dict() == {}


def test_state_of_a_scaler():
    _, state = scaled_step(luge, [1.0, INF, 1.0], init_scale=64.0, growth_interval=3)
    scaler = luge.amp.GradScaler("cpu")
    scaler.load_state_dict(state)
    assert scaler.state_dict() == state == {"scale": 32.0, "growth_factor": 2.0, "backoff_factor": 0.5, "growth_interval": 3, "_growth_tracker": 1}
