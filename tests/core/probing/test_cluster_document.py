import pytest

from kubesonar.core.encoding import encode_json
from kubesonar.core.probing.cluster_document import ClusterDocument, decode_cluster, entity_tag
from kubesonar.core.probing.cluster_facts import DnsPod, ServiceEndpoint
from kubesonar.model import Member, Roster

DOCUMENT = ClusterDocument(
    1,
    Roster("r1", (Member("a", "node-a", ("10.0.0.1",), 7473),)),
    (DnsPod("dns-1", "10.0.0.53"),),
    ("10.96.0.10",),
    (ServiceEndpoint("10.96.0.11", 7473),),
    complete=True,
)


def test_a_document_comes_back_as_it_was() -> None:
    assert decode_cluster(encode_json(DOCUMENT)) == DOCUMENT


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"<html>", "this is no list of members: "),
        (b'{"schema":1}', "the list of members is malformed: "),
        (b'{"schema":2,"roster":{"revision":"","members":[]}}', "version mismatch: the list of members has schema 2"),
    ],
)
def test_another_answer_is_refused_in_one_sentence(body: bytes, reason: str) -> None:
    assert str(decode_cluster(body)).startswith(reason)


def test_equal_documents_have_equal_tags() -> None:
    assert entity_tag(b"a") == entity_tag(b"a") != entity_tag(b"b")
