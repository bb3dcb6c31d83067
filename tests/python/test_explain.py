"""lucid.explain: what a call would make the engine do."""

import json
import pickle
import xml.etree.ElementTree as ElementTree

import pytest

import lucid
from lucid.func import grad, vmap

SVG = "{http://www.w3.org/2000/svg}"


def two_steps(x):
    return x.sin() @ x


def cards(svg):
    tree = ElementTree.fromstring(svg)
    assert tree.tag == f"{SVG}svg"
    return [rect for rect in tree.iter(f"{SVG}rect") if rect.get("class") == "step"]


def test_an_elementwise_function_under_vmap_is_one_dispatch():
    x = lucid.rand(32, 4)
    text = lucid.explain(vmap(grad(lambda x: (x.sin() * x).sum())))(x)
    assert text.startswith("1 dispatch:")
    assert "sin" in text
    assert "cos" in text


def test_nothing_is_computed_and_nothing_pending_is_nothing_to_do():
    x = lucid.rand(3)
    lucid.eval(x)
    steps = lucid.stats()["steps"]
    assert lucid.explain(lambda x: {"a": x + 1, "b": [x * 2]})(x).dispatches == 1
    nothing = lucid.explain(lambda x: x)(x)
    assert nothing.startswith("0 dispatches:")
    assert cards(nothing.svg) == []
    assert lucid.stats()["steps"] == steps


def test_the_figures_are_those_of_the_work():
    x = lucid.rand(50, 50)
    data = lucid.explain(two_steps)(x).data
    assert data["dispatches"] == 2
    first, second = data["steps"]
    assert first["ops"] == ["sin"]
    assert (first["kind"], first["lanes"], first["shape"]) == ("program", "elements", [2500])
    assert second["ops"] == ["contract"]
    assert (second["kind"], second["lanes"], second["shape"]) == ("kernel", "library", [50, 50])
    assert [step["flops"] for step in (first, second)] == [2500, 2 * 50**3]
    assert [step["bytes_read"] for step in (first, second)] == [10_000, 20_000]


def test_totals_are_the_sums_of_the_steps():
    data = lucid.explain(two_steps, measure=True)(lucid.rand(50, 50)).data
    for name in ("bytes_read", "bytes_written", "flops"):
        assert data[name] == sum(step[name] for step in data["steps"])
    for name in ("measured_seconds", "estimated_seconds"):
        assert data[name] == pytest.approx(sum(step[name] for step in data["steps"]), rel=0.01)
    machine = data["machine"]
    assert machine["threads"] == lucid.get_num_threads()
    assert 1e8 < machine["bytes_per_second"] < 1e13
    assert 1e8 < machine["float32_flops_per_second"] < 1e15
    for step in data["steps"]:
        rate = machine["float32_flops_per_second"]
        assert step["peak_share"] == pytest.approx(
            step["flops"] / rate / step["measured_seconds"], rel=0.05, abs=1e-4
        )


def test_the_picture_is_xml_with_one_card_a_step_and_a_line_an_edge():
    picture = lucid.explain(two_steps)(lucid.rand(8, 8)).svg
    assert len(cards(picture)) == 2
    tree = ElementTree.fromstring(picture)
    words = [text.text for text in tree.iter(f"{SVG}text")]
    assert words.count("sin") == words.count("contract") == 1
    # x to sin's load and to contract's, sin's store to contract's; and within the cards
    # load-sin-store and 2 x load-contract, contract-store.
    assert len(list(tree.iter(f"{SVG}path"))) == 3 + 2 + 3


def test_the_page_is_xml_too_and_holds_the_picture():
    explanation = lucid.explain(two_steps, measure=True)(lucid.rand(8, 8))
    page = explanation.html
    tree = ElementTree.fromstring(page.removeprefix("<!DOCTYPE html>"))
    assert len(list(tree.iter("tr"))) == 1 + 2
    assert explanation.svg in page
    assert explanation._repr_html_() == page


def test_it_prints_saves_and_pickles(tmp_path):
    explanation = lucid.explain(two_steps)(lucid.rand(8, 8))
    assert repr(explanation) == explanation.rstrip("\n")
    assert f"{explanation}" == explanation.text == str(explanation)
    assert type(explanation.text) is str
    for suffix, content in [
        ("txt", explanation.text),
        ("svg", explanation.svg),
        ("html", explanation.html),
    ]:
        explanation.save(tmp_path / f"x.{suffix}")
        assert (tmp_path / f"x.{suffix}").read_text() == content
    explanation.save(str(tmp_path / "x.json"))
    assert json.loads((tmp_path / "x.json").read_text()) == explanation.data
    with pytest.raises(ValueError, match=r"\.txt, \.json, \.svg, \.html, not '\.png'"):
        explanation.save(tmp_path / "x.png")
    again = pickle.loads(pickle.dumps(explanation))
    assert again == explanation
    assert again.svg == explanation.svg


def test_cache_info_counts():
    x = lucid.rand(17, 3)
    lucid.eval(x)
    before = lucid.cache_info()
    lucid.eval(x * 2 + 1)
    lucid.eval(x * 3 + 2)
    after = lucid.cache_info()
    assert (after.hits - before.hits, after.misses - before.misses) == (1, 1)
    assert 0 < after.currsize <= after.maxsize
    assert 0 < after.currbytes <= after.maxbytes
    assert repr(after).startswith("CacheInfo(hits=")


def test_bad_use():
    with pytest.raises(TypeError, match="must be callable, not int"):
        lucid.explain(3)
    with pytest.raises(TypeError, match=r"^explain: func returned 'str' at results\[1\]"):
        lucid.explain(lambda x: (x, "no"))(lucid.ones(2))
    with pytest.raises(
        TypeError, match=r"^explain\(\): argument 'measure' must be a bool, not int"
    ):
        lucid.explain(abs, measure=1)
    with pytest.raises(ZeroDivisionError):
        lucid.explain(lambda x: 1 / 0)(lucid.ones(2))
    with pytest.raises(IndexError):
        lucid.explain(lambda x: x[lucid.tensor([9])], measure=True)(lucid.ones(2))
