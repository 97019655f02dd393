"""The cases in JAX: one jitted function each, whose state is handed over to the next call."""

import jax
import jax.numpy as jnp

from . import inputs

version = jax.__version__


def set_threads(count):
    if count != 1:
        raise ValueError("JAX is measured on one thread")


def repeat(update, state):
    state = [state]

    def step():
        state[0] = jax.block_until_ready(update(state[0]))
        return state[0][-1]

    return step


def adam_step(arrays, loss_of, scale=1.0):
    def update(state):
        w, m, v, t, _ = state
        value, g = jax.value_and_grad(lambda w: loss_of(*w))(w)
        t = t + 1
        m = [0.9 * a + 0.1 * b for a, b in zip(m, g)]
        v = [0.999 * a + 0.001 * b * b for a, b in zip(v, g)]
        rate, root = inputs.ADAM_RATE / (1 - 0.9**t), jnp.sqrt(1 - 0.999**t)
        w = [a - rate * b / (jnp.sqrt(c) / root + 1e-8) for a, b, c in zip(w, m, v)]
        return w, m, v, t, value

    w = [jnp.array(array) for array in arrays]
    state = (w, [jnp.zeros_like(a) for a in w], [jnp.zeros_like(a) for a in w], jnp.float32(0), jnp.float32(0))
    step = repeat(jax.jit(update, donate_argnums=0), state)
    return step, [float(step()) / scale for _ in range(3)][-1]


def demo(sets, steps=1, returned=True):
    def update(state):
        x, before = state
        value, gradient = jax.value_and_grad(lambda x: (3 * x * x - 2 * x + 3).sum())(x)
        return x - inputs.DEMO_RATE * gradient, value / sets if returned else before

    def many(state):
        return jax.lax.fori_loop(0, steps, lambda _, x: update((x, 0))[0], state[0]), state[1]

    step = repeat(jax.jit(update if steps == 1 else many, donate_argnums=0), (jnp.array(inputs.demo(sets)), jnp.float32(0)))
    first = [float(step()) for _ in range(3)][-1]
    return step, first if returned and steps == 1 else None


def curve_fit():
    x, y, starts = inputs.curves()

    def loss_of(a, t, c):
        return ((a[:, None] * jnp.exp(-x / t[:, None]) + c[:, None] - y) ** 2).mean(1).sum()

    return adam_step(starts, loss_of, inputs.FITS)


def ensemble():
    x, y, layers = inputs.ensemble()

    def one(*layers):
        h = x
        for i in range(0, len(layers), 2):
            h = h @ layers[i].T + layers[i + 1]
            if i + 2 < len(layers):
                h = jax.nn.relu(h)
        return ((h - y) ** 2).mean()

    return adam_step(layers, lambda *layers: jax.vmap(one)(*layers).sum(), inputs.MEMBERS)


def regressions():
    x, y, start = inputs.regressions()

    def loss_of(w, b):
        z = x @ w + b
        return (jax.nn.softplus(z) - z * y).mean((1, 2)).sum()

    return adam_step(start, loss_of, inputs.REGRESSIONS)


def mlp(batch):
    images, labels, layers = inputs.mlp(batch)

    def loss_of(w1, b1, w2, b2):
        logits = jax.nn.relu(images @ w1.T + b1) @ w2.T + b2
        return -jax.nn.log_softmax(logits)[jnp.arange(batch), labels].mean()

    return adam_step(layers, loss_of)


def adam(count):
    def update(state):
        p, g, m, v, t, _ = state
        t = t + 1
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        rate, root = 1e-6 / (1 - 0.9**t), jnp.sqrt(1 - 0.999**t)
        return p - rate * m / (jnp.sqrt(v) / root + 1e-8), g, m, v, t, t

    p = jnp.array(inputs.uniform(60, count))
    return repeat(jax.jit(update, donate_argnums=0), (p, 2 * p, 0 * p, 0 * p, jnp.float32(0), jnp.float32(0))), None


def function(name):
    x = jnp.array(inputs.elements(name))
    calls = {"sigmoid": jax.nn.sigmoid, "gelu": lambda x: jax.nn.gelu(x, approximate=False)}
    call = jax.jit(calls.get(name) or getattr(jnp, name))
    return (lambda: jax.block_until_ready(call(x))), float(call(x)[:1000].mean())


def softmax():
    x = jnp.array(inputs.matrix()[0])
    call = jax.jit(lambda x: jax.nn.softmax(x, -1))
    return (lambda: jax.block_until_ready(call(x))), float(call(x)[0, 0])


def cross_entropy():
    x, labels = (jnp.array(array) for array in inputs.matrix())
    call = jax.jit(lambda x: -jnp.take_along_axis(jax.nn.log_softmax(x), labels[:, None], 1).mean())
    return (lambda: jax.block_until_ready(call(x))), float(call(x))
