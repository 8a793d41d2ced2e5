"""Plain targets that do not answer or answer wrongly."""

from __future__ import annotations

from kubesonar.core.diagnosis.parts import conditions, dns_conditions, subjects
from kubesonar.core.diagnosis.parts.part import Part
from kubesonar.core.diagnosis.parts.traversal import Aspect
from kubesonar.model import Path, Severity

TARGET_PARTS: tuple[Part, ...] = (
    *(
        Part(
            name,
            4.0,
            lambda route, question=question, paths=paths: (  # type: ignore[misc]
                route.question is question
                and conditions.to_plain_target(route, paths)
                and not dns_conditions.outside(route)
            ),
            subjects.target,
            f"{what} {{subject}} {verb} since {{since}}{{agree}}",
            f"{what} {{subject}} {partly} since {{since}}{{agree}}",
            variant=variant,
            fault=fault,
            severity=Severity.CRITICAL if name == "api_server" else Severity.WARNING,
            whole=True,
        )
        for name, what, paths in (
            ("api_server", "the API server", conditions.API_PATHS),
            ("ingress", "the ingress", (Path.INGRESS,)),
            ("service", "the Service", (Path.SERVICE,)),
            ("dns_upstream", "the DNS server", (Path.DNS_UPSTREAM,)),
            ("external", "the target", (Path.EXTERNAL,)),
        )
        for question, verb, partly, variant, fault in (
            (Aspect.REACH, "does not answer", "does not answer {loss} of all requests", "", "silent"),
            (
                Aspect.ANSWER,
                "refuses or answers wrongly{said}",
                "refuses or answers wrongly {loss} of all requests{said}",
                "refused",
                "refused",
            ),
        )
    ),
)
