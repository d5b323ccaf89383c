"""Exact Gaussian process with one kernel a feature block."""

from __future__ import annotations

from typing import Any

import gpytorch
import numpy as np
import torch
from gpytorch.constraints import GreaterThan
from gpytorch.kernels import AdditiveKernel, LinearKernel, MaternKernel, ScaleKernel
from gpytorch.priors import GammaPrior, LogNormalPrior
from linear_operator.utils.cholesky import psd_safe_cholesky
from scipy.optimize import minimize
from torch import Tensor

from surronas.predictors import register_predictor
from surronas.predictors.base import FloatArray, Predictor

_CHUNK = 4096


@register_predictor("gp")
class GaussianProcess(Predictor):
    """Gaussian process whose kernel is a sum over feature blocks of a Matérn 3/2 and a linear kernel.

    Every block has one lengthscale and two weights. They and the noise maximise the marginal likelihood
    times weak priors, by L-BFGS in double precision; features are standardised and each block is scaled
    by the root of its width, so that the priors mean the same for every encoder.

    Parameters
    ----------
    blocks : tuple of (name, shape) or None, default=None
        The feature blocks in column order, as an encoder's ``blocks_``; None is one block.
    max_iter : int, default=60
        Steps of L-BFGS.

    References
    ----------
    Rasmussen and Williams (2006), Gaussian Processes for Machine Learning, chapters 2 and 5.
    """

    def __init__(self, blocks: Any = None, max_iter: int = 60) -> None:
        self.blocks = blocks
        self.max_iter = max_iter

    def _fit(self, X: FloatArray, y: FloatArray) -> None:
        widths = [X.shape[1]] if self.blocks is None else [int(np.prod(shape)) for _, shape in self.blocks]
        if sum(widths) != X.shape[1]:
            widths = [X.shape[1]]
        self.center_ = X.mean(axis=0)
        spread = X.std(axis=0)
        self.scale_ = np.where(spread > 1e-12, spread, 1.0) * np.repeat(np.sqrt(widths), widths)
        self.widths_ = widths
        self.X_ = self._scaled(X)
        model = _Kernel(widths)
        inputs, targets = torch.from_numpy(self.X_), torch.from_numpy(y)
        self.converged_ = _maximise(model, inputs, targets, self.max_iter)
        with torch.no_grad():
            factor = psd_safe_cholesky(model.noisy(inputs))
            self.weights_ = torch.cholesky_solve(targets[:, None], factor)[:, 0].numpy()
            self.factor_ = factor.numpy()
        self.parameters_ = {name: value.detach().numpy() for name, value in model.named_parameters()}

    def _predict(self, X: FloatArray) -> tuple[FloatArray, FloatArray]:
        model = _Kernel(self.widths_)
        model.load_state_dict({k: torch.as_tensor(v) for k, v in self.parameters_.items()}, strict=False)
        train, factor = torch.from_numpy(self.X_), torch.from_numpy(self.factor_)
        weights = torch.from_numpy(self.weights_)
        means, stds = [], []
        with torch.no_grad():
            for rows in torch.from_numpy(self._scaled(X)).split(_CHUNK):
                cross = model.covariance(rows, train).to_dense()
                explained = torch.linalg.solve_triangular(factor, cross.T, upper=False).square().sum(0)
                prior = model.covariance(rows, diag=True) + model.noise
                means.append(cross @ weights)
                stds.append((prior - explained).clamp_min(1e-12).sqrt())
        return torch.cat(means).numpy(), torch.cat(stds).numpy()

    def _scaled(self, X: FloatArray) -> FloatArray:
        return np.asarray((X - self.center_) / self.scale_)


class _Kernel(gpytorch.Module):  # type: ignore[misc]
    """The covariance of all blocks, the noise, and their priors."""

    def __init__(self, widths: list[int]) -> None:
        super().__init__()
        parts, start = [], 0
        for width in widths:
            dims = tuple(range(start, start + width))
            start += width
            matern = MaternKernel(nu=1.5, active_dims=dims, lengthscale_prior=LogNormalPrior(0.3, 0.7))
            matern.lengthscale = 1.5
            smooth = ScaleKernel(matern, outputscale_prior=GammaPrior(1.5, 1.5))
            smooth.outputscale = 0.7 / len(widths)
            linear = LinearKernel(active_dims=dims, variance_prior=GammaPrior(1.1, 2.0))
            linear.variance = 0.3 / len(widths)
            parts += [smooth, linear]
        self.covariance = AdditiveKernel(*parts)
        self.register_parameter("raw_noise", torch.nn.Parameter(torch.tensor(-2.5)))
        self.register_constraint("raw_noise", GreaterThan(1e-5))
        self.register_prior("noise_prior", LogNormalPrior(-2.5, 1.0), lambda module: module.noise)
        self.double()

    @property
    def noise(self) -> Tensor:
        return self.raw_noise_constraint.transform(self.raw_noise)  # type: ignore[no-any-return]

    def noisy(self, X: Tensor) -> Tensor:
        return self.covariance(X).to_dense() + self.noise * torch.eye(len(X), dtype=X.dtype)  # type: ignore[no-any-return]

    def loss(self, X: Tensor, y: Tensor) -> Tensor:
        """Negative log marginal likelihood minus log priors."""
        factor = psd_safe_cholesky(self.noisy(X))
        white = torch.linalg.solve_triangular(factor, y[:, None], upper=False)
        loss = 0.5 * white.square().sum() + factor.diagonal().log().sum()
        for _, module, prior, value, _ in self.named_priors():
            loss = loss - prior.log_prob(value(module)).sum()
        return loss


def _maximise(model: _Kernel, X: Tensor, y: Tensor, max_iter: int) -> bool:
    """Fit in place; a failed step leaves the best parameters found, so that there always is a model."""
    parameters = list(model.parameters())
    best = [float("inf"), torch.nn.utils.parameters_to_vector(parameters).detach().clone()]

    def objective(vector: FloatArray) -> tuple[float, FloatArray]:
        torch.nn.utils.vector_to_parameters(torch.from_numpy(vector), parameters)
        model.zero_grad()
        try:
            loss = model.loss(X, y)
            loss.backward()
        except (RuntimeError, ValueError):
            return 1e10, np.zeros_like(vector)
        gradient = np.concatenate([p.grad.numpy().ravel() for p in parameters])
        if not (np.isfinite(loss.item()) and np.isfinite(gradient).all()):
            return 1e10, np.zeros_like(vector)
        if loss.item() < best[0]:
            best[:] = [loss.item(), torch.from_numpy(vector.copy())]
        return loss.item(), gradient

    result = minimize(
        objective, best[1].numpy(), jac=True, method="L-BFGS-B", options={"maxiter": max_iter}, bounds=[(-12, 12)] * len(best[1])
    )
    torch.nn.utils.vector_to_parameters(best[1], parameters)
    return bool(result.success)
