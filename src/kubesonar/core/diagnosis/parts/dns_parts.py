"""DNS servers, the cluster's DNS as a whole and as one node sees it, the service proxy, targets as a zone sees them."""

from __future__ import annotations

from kubesonar.core.diagnosis.parts import conditions, dns_conditions, shares, subjects
from kubesonar.core.diagnosis.parts.part import Part
from kubesonar.model import Severity

_MOST_LARGE_ANSWERS = 0.8
"""Share of large answers from which on their loss depends on their size: less, and mere loss, which hits an answer of
several packets more often, counts for it; more, and a server whose Service is asked for them too is not told."""

_NO_LARGE_OF_SERVER = "no large answers of {subject} come by UDP, small ones do,"
_NO_LARGE_ON_NODE = "{a} gets no large answers from DNS servers by UDP, only small ones, others get both,"
_NO_LARGE_AT_ALL = "no large answers of the cluster's DNS servers come by UDP, small ones do,"
_NO_LARGE_ON_WAY = "{a} gets no large answers of {b} by UDP, only small ones, others get both,"

DNS_PARTS: tuple[Part, ...] = (
    *(
        Part(
            name,
            penalty,
            when,
            subjects.servers,
            f"{{subject}} {total} since {{since}}{{agree}}",
            f"{{subject}} {partial} since {{since}}{{agree}}",
            variant=variant,
            fault=fault,
            share=shares.server_share,
            whole=True,
        )
        for name, variant, penalty, when, fault, total, partial in (
            (
                "dns_udp",
                "",
                5.0,
                dns_conditions.dns_udp,
                "deaf",
                "is deaf by UDP and answers by TCP",
                "leaves {loss} of the questions by UDP without an answer, TCP is well,",
            ),
            (
                "dns_tcp",
                "",
                5.0,
                dns_conditions.dns_tcp,
                "deaf",
                "is deaf by TCP and answers by UDP",
                "leaves {loss} of the questions by TCP without an answer, UDP is well,",
            ),
            (
                "dns_tcp",
                "refused",
                5.0,
                dns_conditions.dns_tcp_refused,
                "refused",
                "refuses TCP and answers by UDP",
                "refuses {loss} of the questions by TCP, UDP is well,",
            ),
            (
                "dns_server",
                "",
                4.0,
                dns_conditions.dns_silent,
                "silent",
                "answers neither by UDP nor by TCP",
                "leaves {loss} of the questions without an answer",
            ),
            *(
                (
                    "dns_server",
                    variant,
                    4.5,
                    when,
                    "refused",
                    "refuses or answers wrongly{said}",
                    "refuses or answers wrongly {loss} of the questions{said}",
                )
                for variant, when in (("refused", dns_conditions.dns_gone), ("wrong", dns_conditions.dns_wrong))
            ),
        )
    ),
    *(
        Part(
            name,
            penalty,
            when,
            crossing,
            f"{total} since {{since}}{{agree}}",
            f"{partial} since {{since}}{{agree}}",
            variant=variant,
            fault="refused" if variant in ("refused", "wrong") else "silent",
            share=shares.part_off_node if variant == "elsewhere" else None,
            severity=Severity.CRITICAL if name == "dns_service" else Severity.WARNING,
            whole=name == "dns_service",
        )
        for name, variant, penalty, when, crossing, total, partial in (
            *(
                (
                    "dns_service",
                    variant,
                    penalty,
                    when,
                    subjects.dns_service,
                    f"no DNS server of the cluster {total}",
                    f"the DNS servers of the cluster {partial}",
                )
                for variant, penalty, when, total, partial in (
                    (
                        "",
                        4.5,
                        dns_conditions.cluster_dns_silent,
                        "answers",
                        "leave {loss} of the questions without an answer",
                    ),
                    (
                        "refused",
                        5.0,
                        dns_conditions.cluster_dns_gone,
                        "answers rightly{said}",
                        "refuse or answer wrongly {loss} of the questions{said}",
                    ),
                    (
                        "wrong",
                        5.0,
                        dns_conditions.cluster_dns_wrong,
                        "answers rightly{said}",
                        "refuse or answer wrongly {loss} of the questions{said}",
                    ),
                    (
                        "udp",
                        5.5,
                        dns_conditions.cluster_dns_udp,
                        "answers by UDP, TCP is well,",
                        "leave {loss} of the questions by UDP without an answer, TCP is well,",
                    ),
                    (
                        "tcp",
                        5.5,
                        dns_conditions.cluster_dns_tcp,
                        "answers by TCP, UDP is well,",
                        "leave {loss} of the questions by TCP without an answer, UDP is well,",
                    ),
                )
            ),
            (
                "dns_service",
                "address",
                5.0,  # above the servers behind it, where nobody asks these
                dns_conditions.dns_service_silent,
                subjects.dns_service,
                "the DNS Service does not answer at its address, the servers behind it do,",
                "the DNS Service leaves {loss} of the questions at its address without an answer, the servers behind "
                "it are well,",
            ),
            (
                "dns_node",
                "",
                5.5,
                dns_conditions.cluster_dns_silent,
                subjects.dns_seen,
                "{a} gets no answer from any DNS server, others do,",
                "{a} gets no answer to {loss} of its questions to DNS servers, others do,",
            ),
            (
                "dns_node",
                "elsewhere",
                6.0,
                dns_conditions.cluster_dns_silent,
                subjects.dns_seen,
                "{a} gets no answer from DNS servers on other nodes, others do,",
                "{a} gets no answer to {loss} of its questions to DNS servers on other nodes, others do,",
            ),
            (
                "dns_node",
                "service",
                7.0,
                dns_conditions.dns_service_silent,
                subjects.dns_seen,
                "{a} gets no answer from the DNS Service, others do (its service proxy, or a DNS cache that owns the "
                "address),",
                "{a} gets no answer to {loss} of its questions to the DNS Service, others do (its service proxy, or a "
                "DNS cache that owns the address),",
            ),
            *(
                (
                    "dns_cache",
                    variant,
                    penalty,
                    when,
                    subjects.source_node,
                    f"the DNS cache of {{subject}} {total}",
                    f"the DNS cache of {{subject}} {partial}",
                )
                for variant, penalty, when, total, partial in (
                    (
                        "",
                        4.0,
                        dns_conditions.cache_silent,
                        "does not answer",
                        "leaves {loss} of the questions without an answer",
                    ),
                    *(
                        (
                            variant,
                            4.5,
                            when,
                            "refuses or answers wrongly{said}",
                            "refuses or answers wrongly {loss} of the questions{said}",
                        )
                        for variant, when in (
                            ("refused", dns_conditions.cache_gone),
                            ("wrong", dns_conditions.cache_wrong),
                        )
                    ),
                )
            ),
            (
                "dns_upstream",
                "names",
                4.5,
                dns_conditions.upstream,
                subjects.dns_upstream,
                "the cluster's DNS resolves no names outside of the cluster",
                "the cluster's DNS does not resolve {loss} of the names outside of the cluster",
            ),
            (
                "dns_upstream",
                "failing",
                4.5,
                dns_conditions.upstream_gone,
                subjects.dns_upstream,
                "the cluster's DNS answers, and resolves no names outside of the cluster (its upstream),",
                "the cluster's DNS answers, and does not resolve {loss} of the names outside of the cluster (its "
                "upstream),",
            ),
            (
                "service_proxy",
                "",
                6.3,  # above a port of a plain target, of which no more than that was seen
                dns_conditions.virtual,
                subjects.source_node,
                "no Service works on {subject} (service proxy)",
                "{loss} of the requests to Services fail on {subject} (service proxy)",
            ),
            (
                "zone_target",
                "",
                6.0,
                conditions.plain,
                subjects.zone_target,
                "zone {a} does not reach {b}, others do,",
                "zone {a} gets no answer to {loss} of its requests to {b}, others do,",
            ),
        )
    ),
    *(
        Part(
            "dns_large",
            penalty,
            dns_conditions.dns_large,
            crossing,
            f"{total} since {{since}}{{agree}}",
            variant=variant,
            fault="large",
            share=share,
            least=_MOST_LARGE_ANSWERS,
        )
        for variant, penalty, crossing, share, total in (
            ("", 5.5, subjects.servers, shares.server_share, _NO_LARGE_OF_SERVER),
            ("beyond", 6.0, subjects.beyond_node(subjects.servers), shares.server_share_beyond, _NO_LARGE_OF_SERVER),
            ("node", 6.0, subjects.dns_seen, None, _NO_LARGE_ON_NODE),
            ("node beyond", 6.5, subjects.beyond_node(subjects.dns_seen), shares.part_beyond_node, _NO_LARGE_ON_NODE),
            ("all", 6.0, subjects.dns_service, None, _NO_LARGE_AT_ALL),
            ("all beyond", 6.5, subjects.beyond_node(subjects.dns_service), shares.part_beyond_node, _NO_LARGE_AT_ALL),
            ("way", 7.0, subjects.way_there, None, _NO_LARGE_ON_WAY),
        )
    ),
)
