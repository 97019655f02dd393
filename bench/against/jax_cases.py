"""The training steps of bench/gpu in JAX: one jitted function each; see compare_gpu.py."""

import jax
import jax.numpy as jnp
import numpy


def adam(loss):
    """A jitted step of Adam; its state: parameters, both moments, the count, and the loss."""

    def update(state):
        w, m, v, t, _ = state
        value, g = jax.value_and_grad(loss)(w)
        t = t + 1
        m = [0.9 * a + 0.1 * b for a, b in zip(m, g)]
        v = [0.999 * a + 0.001 * b * b for a, b in zip(v, g)]
        w = [a - 1e-3 * (b / (1 - 0.9**t)) / (jnp.sqrt(c / (1 - 0.999**t)) + 1e-8) for a, b, c in zip(w, m, v)]
        return w, m, v, t, value

    return jax.jit(update, donate_argnums=0)


class Cases:
    def __init__(self, session, device):
        self.session = session
        self.device = jax.devices("cpu" if device == "cpu" else "gpu")[0]
        jax.config.update("jax_default_device", self.device)
        # As the others: products of float32 numbers in float32.
        jax.config.update("jax_default_matmul_precision", "highest")
        self.state = None

    def wait(self):
        jax.block_until_ready(self.state)

    def repeat(self, update, state):
        self.state = state

        def step():
            self.state = update(self.state)

        return step

    def measure(self, name, prepare, **figures):
        self.session.measure(name, prepare, self.wait, **figures)
        self.state = None

    def demo(self):
        def update(state):
            x, _ = state
            value, gradient = jax.value_and_grad(lambda x: (3 * x * x - 2 * x + 3).sum())(x)
            return x - 0.01 * gradient, value

        def many(state):
            return jax.lax.fori_loop(0, 80, lambda _, s: update(s), state)

        for sets in (self.session.size(1000, 100), self.session.size(100_000_000, 4096)):
            for way, function, steps in (("jit", update, 1), ("jit of 80", many, 80)):
                def prepare(function=function, steps=steps):
                    x = jax.random.uniform(jax.random.PRNGKey(1), (sets,), minval=-2, maxval=2)
                    step = self.repeat(jax.jit(function, donate_argnums=0), (x, jnp.float32(0)))
                    return step, lambda: self.demo_error(step, steps)

                self.measure(f"demo/{sets}", prepare, way=way, steps=steps)

    def demo_error(self, step, steps):
        def head():
            return numpy.asarray(self.state[0][:1 << 20], dtype=numpy.float64)

        expected = head()
        step()
        for _ in range(steps):
            expected = expected - 0.01 * (6 * expected - 2)
        return float(numpy.linalg.norm(head() - expected) / numpy.linalg.norm(expected))

    def train(self, name, loss, weights):
        def prepare():
            zeros = [jnp.zeros_like(a) for a in weights]
            # Copies, because the first step takes them over.
            state = ([jnp.copy(w) for w in weights], zeros, [jnp.copy(z) for z in zeros], jnp.float32(0), jnp.float32(0))
            return self.repeat(adam(loss), state), None

        self.measure(name, prepare, way="jit")

    def mlp(self):
        keys = jax.random.split(jax.random.PRNGKey(1), 4)
        weights = [jax.random.normal(keys[0], (784, 256)) * 0.05, jnp.zeros(256),
                   jax.random.normal(keys[1], (256, 10)) * 0.05, jnp.zeros(10)]
        images, labels = jax.random.uniform(keys[2], (64, 784)), jax.random.randint(keys[3], (64,), 0, 10)

        def loss(w):
            logits = jax.nn.relu(images @ w[0] + w[1]) @ w[2] + w[3]
            return -jax.nn.log_softmax(logits)[jnp.arange(64), labels].mean()

        self.train("mlp/784-256-10/batch_64", loss, weights)

    def ensemble(self):
        sets = self.session.size(4096, 4)
        keys = iter(jax.random.split(jax.random.PRNGKey(1), 8))
        weights = []
        for inputs, outputs in ((16, 64), (64, 64), (64, 1)):
            for shape in ((sets, inputs, outputs), (sets, outputs)):
                weights.append(jax.random.uniform(next(keys), shape, minval=-1, maxval=1) * inputs**-0.5)
        x, y = (jax.random.uniform(next(keys), (256, n), minval=-1, maxval=1) for n in (16, 1))

        def one(a, b, c, d, e, f):
            return ((jax.nn.relu(jax.nn.relu(x @ a + b) @ c + d) @ e + f - y) ** 2).mean()

        self.train(f"ensemble/{sets}x16-64-64-1/batch_256", lambda w: jax.vmap(one)(*w).sum(), weights)


def groups(session, device):
    cases = Cases(session, device)
    return jax.__version__, {name: getattr(cases, name) for name in ("demo", "mlp", "ensemble")}
