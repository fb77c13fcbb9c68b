"""The players of an objective as the loop sees them: parameters, optimizer, and who may learn when."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from pretint.networks.normalization import freeze_statistics
from pretint.objective import Objective, Phase, Player


def parameters_of(objective: nn.Module, parts: Iterable[str]) -> list[nn.Parameter]:
    """Parameters below the named submodules, and the named parameters themselves, each once, in a fixed order."""
    found: dict[nn.Parameter, None] = {}
    for part in parts:
        owner, _, name = part.rpartition(".")
        parent = objective.get_submodule(owner)
        member = getattr(parent, name)
        members = [member] if isinstance(member, nn.Parameter) else member.parameters()
        found.update(dict.fromkeys(members))
    return list(found)


class Learner:
    """One player in one phase.

    Args:
        objective: what is trained.
        player: whose parts and optimizer settings these are.
        phase: what is frozen, and the phase's own rate.
    """

    def __init__(self, objective: Objective, player: Player, phase: Phase) -> None:
        frozen = set(parameters_of(objective, phase.frozen))
        self._names = {parameter: name for name, parameter in objective.named_parameters()}
        self.parameters = [p for p in parameters_of(objective, player.parts) if p not in frozen]
        self.rate = player.optimizer.rate if phase.rate is None else phase.rate
        decay = player.optimizer.weight_decay
        quick = set(parameters_of(objective, player.quick_parts))
        groups: dict[tuple[float, float], list[nn.Parameter]] = {}
        for p in self.parameters:
            # Biases, gamma and beta are not decayed.
            setting = (decay if p.ndim > 1 else 0.0, player.quick_factor if p in quick else 1.0)
            groups.setdefault(setting, []).append(p)
        self.optimizer = torch.optim.AdamW(
            [{"params": members, "weight_decay": d, "factor": factor} for (d, factor), members in groups.items()],
            lr=self.rate, betas=player.optimizer.betas, eps=player.optimizer.eps,
            fused=all(p.device.type in ("cpu", "cuda") for p in self.parameters),
        )  # fmt: skip

    def step(self, factor: float) -> None:
        """One update at a share of the rate."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate * factor * group["factor"]
        self.optimizer.step()

    def state(self) -> dict[str, Tensor]:
        """The optimizer's state as flat tensors, ``PARAMETER/NAME``."""
        return {
            f"{self._names[parameter]}/{name}": value
            for parameter in self.parameters
            for name, value in self.optimizer.state.get(parameter, {}).items()
        }

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Give the optimizer back what :meth:`state` held, for those parameters that learn now."""
        parameters = {self._names[parameter]: parameter for parameter in self.parameters}
        for key, tensor in tensors.items():
            owner, _, name = key.rpartition("/")
            if owner not in parameters:
                continue
            parameter = parameters[owner]
            if tensor.shape == parameter.shape:
                # Fused optimizers walk memory: a moment must lie in the order of its parameter (channels last).
                tensor = torch.empty_like(parameter, requires_grad=False).copy_(tensor)
            # The count of steps too: fused optimizers want it where the parameter is.
            self.optimizer.state[parameter][name] = tensor.to(parameter.device)

    def scale_gradients(self, count: Tensor, fabric: Fabric, clip: float) -> None:
        """Sum gradients over processes in one flat all-reduce, divide by the count of items, clip."""
        gradients = [p.grad for p in self.parameters if p.grad is not None]
        if fabric.world_size > 1:
            flat = torch.cat([gradient.reshape(-1).float() for gradient in gradients] + [count.reshape(1).float()])
            total = fabric.all_reduce(flat, reduce_op="sum")
            assert isinstance(total, Tensor)
            count = total[-1]
            offset = 0
            for gradient in gradients:
                gradient.copy_(total[offset : offset + gradient.numel()].view(gradient.shape))
                offset += gradient.numel()
        torch._foreach_div_(gradients, count.clamp(min=1).float())
        if clip:
            torch.nn.utils.clip_grad_norm_(self.parameters, clip)


@contextmanager
def learning(learners: Iterable[Learner], who: Learner) -> Iterator[None]:
    """Within the block only the parameters of ``who`` take gradients; afterwards it is as it was."""
    everyone = {p: p.requires_grad for learner in learners for p in learner.parameters}
    for parameter in everyone:
        parameter.requires_grad_(False)
    for parameter in who.parameters:
        parameter.requires_grad_(True)
    try:
        yield
    finally:
        for parameter, before in everyone.items():
            parameter.requires_grad_(before)


def enter_phase(objective: Objective, phase: Phase) -> None:
    """Freeze the phase's frozen parts: no gradients, batch norms on moving averages; thaw the others."""
    objective.requires_grad_(True)
    freeze_statistics(objective, False)
    for parameter in parameters_of(objective, phase.frozen):
        parameter.requires_grad_(False)
    for part in phase.frozen:
        freeze_statistics(objective.get_submodule(part), True)
