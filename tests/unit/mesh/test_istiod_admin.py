"""What is refused before a stock Istiod reads it."""

from contextlib import aclosing
from pathlib import Path

import pytest

from mesh.istiod_admin import IstiodAdmin


@pytest.mark.parametrize(
    ("kind", "api_version", "taken"),
    [
        ("Gateway", "networking.istio.io/v1", False),
        ("PeerAuthentication", "security.istio.io/v1", False),
        ("HTTPRoute", "gateway.networking.k8s.io/v1", False),
        ("Deployment", "apps/v1", True),
        ("Service", "v1", True),
    ],
)
async def test_what_nobody_here_can_check_does_not_get_to_istiod(
    kind: str, api_version: str, taken: bool, tmp_path: Path
) -> None:
    text = f"apiVersion: {api_version}\nkind: {kind}\nmetadata: {{name: g}}\nspec: {{servers: [{{}}]}}\n"
    async with aclosing(_Closing(tmp_path)) as admin:
        verdict = await admin.validate({"a.yaml": text})
    assert verdict["ok"] is taken
    errors = [(error["file"], error["field"], error["message"]) for error in verdict["errors"]]
    message = (
        f"a {kind} says nothing to these clients, and cannot be checked here;"
        " a wrong one would keep Istiod from starting"
    )
    assert errors == ([] if taken else [("a.yaml", "kind", message)])


class _Closing(IstiodAdmin):
    def __init__(self, config: Path) -> None:
        super().__init__("http://127.0.0.1:1", config)

    async def aclose(self) -> None:
        await self.close()
