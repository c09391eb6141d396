"""CSV as spreadsheets of different countries write it: encodings, delimiters, numbers, dates."""

# ruff: noqa: DTZ001, RUF001 — the moments of spreadsheets have no zone, and their words are of many languages

import csv
import io
from datetime import date, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nbprod.datasets import open_dataset, read_frame
from nbprod.domain.csv_format import CsvFormat, data_place, split_format
from nbprod.errors import DataError, SettingsError

GERMAN = (
    "Datum;Straße;Preis;Menge;Anteil\n"
    "31.12.2024 13:00;Hauptstraße;1.234,50;1.000;0,5\n"
    "01.01.2025 00:30;Übergang;-7,25;12;0,25\n"
)
PLAIN = (
    "Datum,Straße,Preis,Menge,Anteil\n"
    "2024-12-31 13:00:00,Hauptstraße,1234.50,1000,0.5\n"
    "2025-01-01 00:30:00,Übergang,-7.25,12,0.25\n"
)


def written(folder, text, encoding="utf-8", name="rows.csv"):
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize(
    "encoding", ["latin-1", "cp1252", "utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"]
)
def test_a_german_spreadsheet_holds_what_the_same_table_holds_elsewhere(tmp_path, encoding):
    """Encoding, semicolons, decimal comma, thousands and dates day first: the very same values and types."""
    german = open_dataset(written(tmp_path, GERMAN, encoding))
    plain = open_dataset(written(tmp_path, PLAIN, name="plain.csv"))
    assert german.fingerprint == plain.fingerprint
    assert german.frame().equals(plain.frame())
    assert german.sample(1, ["Menge"]).num_rows == 2
    assert german.frame(["Preis", "Datum"])["Preis"].tolist() == [1234.5, -7.25]


def test_what_was_found_is_said(tmp_path):
    dataset = open_dataset(written(tmp_path, GERMAN, "latin-1"))
    said = "cp1252, semicolon between cells, decimal comma (Preis, Menge, Anteil), dates day-first (Datum)"
    assert dataset.read_as == said
    assert f"read as {said}" in repr(dataset)
    assert "decimal comma" in dataset._repr_html_()


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Année;Élève;Où\n2024;Hélène;Besançon\n", "cp1252"),
        ("Año;Señor\n2020;Muñoz\n2021;Peña\n", "latin-1"),
        ("År;Län\n2020;Skåne\n2021;Östergötland\n", "cp1252"),
        ("id;Maß\n" + "1;2\n" * 300, "cp1252"),
        ("Preis;Währung\n1,5;€\n2,5;€\n", "cp1252"),
        ("Temperatur;Fläche\n5 °C;7 m²\n", "cp1252"),
        ("Miasto;Żółć\nŁódź;1\nGdańsk;2\nCzęstochowa;3\n", "cp1250"),
        ("Город;Улица\nМосква;Тверская\nКазань;Баумана\n", "cp1251"),
    ],
)
def test_words_of_many_languages_are_read_as_they_were_written(tmp_path, text, encoding):
    rows = list(csv.reader(io.StringIO(text), delimiter=";"))
    frame = read_frame(written(tmp_path, text, encoding))
    assert list(frame) == rows[0]
    words = [word for row in rows[1:] for word in row if not word.isascii()]
    assert set(words) <= set(frame.to_numpy().ravel())


def test_one_late_letter_beyond_ascii_decides_the_encoding(tmp_path):
    """The whole file is looked at, not its beginning."""
    path = written(tmp_path, "name,n\n" + "x,1\n" * 20_000 + "Größe,2\n", "cp1252")
    assert read_frame(path)["name"].iloc[-1] == "Größe"


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        (["1.234,5", "2,25"], [1234.5, 2.25]),
        (["1 234,5", "2,25"], [1234.5, 2.25]),
        (["1\u202f234,5", "-2,25"], [1234.5, -2.25]),
        (["1'234.5", "2.25"], [1234.5, 2.25]),
        (["1,234.5", "2.25"], [1234.5, 2.25]),
        (["1.234.567", "89"], [1234567, 89]),
        (["1,234,567", "89"], [1234567, 89]),
        (["+1,5", " 2,5 "], [1.5, 2.5]),
        (["1,5e3", ",5"], [1500.0, 0.5]),
        (["1,5", ""], [1.5, None]),
    ],
)
@pytest.mark.parametrize("delimiter", [";", "\t", "|", ","])
def test_numbers_of_other_countries(tmp_path, cells, values, delimiter):
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter).writerows([["a", "b"], *(["x", cell] for cell in cells)])
    table = open_dataset(written(tmp_path, text.getvalue())).table()
    assert table["b"].to_pylist() == values


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        (["31.12.2024", "1.2.2024"], [date(2024, 12, 31), date(2024, 2, 1)]),
        (["31.12.24", "01.02.99"], [date(2024, 12, 31), date(1999, 2, 1)]),
        (["31/12/2024", "01/02/2024"], [date(2024, 12, 31), date(2024, 2, 1)]),
        (["12/31/2024", "01/02/2024"], [date(2024, 12, 31), date(2024, 1, 2)]),
        (["31-12-2024", ""], [date(2024, 12, 31), None]),
        (["2024/12/31", "2024/01/02"], [date(2024, 12, 31), date(2024, 1, 2)]),
        (["31.12.2024 13:00", "01.02.2024"], [datetime(2024, 12, 31, 13), datetime(2024, 2, 1)]),
        (["31.12.2024, 13:00:05", "01.02.2024 9:00"], [datetime(2024, 12, 31, 13, 0, 5), datetime(2024, 2, 1, 9)]),
        (["12/31/2024 1:05 PM", "1/2/2024 12:00 am"], [datetime(2024, 12, 31, 13, 5), datetime(2024, 1, 2)]),
        (["05.05.2024", "06.06.2024"], [date(2024, 5, 5), date(2024, 6, 6)]),
        (["31.02.2024", "01.02.2024"], ["31.02.2024", "01.02.2024"]),
        (["31.12.2024", "gestern"], ["31.12.2024", "gestern"]),
        (["31.12.2024", "12/31/2024"], ["31.12.2024", "12/31/2024"]),
    ],
)
def test_dates_of_other_countries(tmp_path, cells, values):
    """Only what every cell can be is read; the 31st of February leaves text."""
    text = "a;b\n" + "".join(f"x;{cell}\n" for cell in cells)
    assert open_dataset(written(tmp_path, text)).table()["b"].to_pylist() == values


@pytest.mark.parametrize(
    ("text", "setting", "values"),
    [
        (
            "day;n\n01.02.2024;x\n03.12.2024;y\n",
            "dates",
            {
                "day-first": [datetime(2024, 2, 1), datetime(2024, 12, 3)],
                "month-first": [datetime(2024, 1, 2), datetime(2024, 3, 12)],
            },
        ),
        ("day;n\n1.234;x\n5.678;y\n", "decimal", {".": [1.234, 5.678], ",": [1234, 5678]}),
        ('day,n\n"1,234",x\n"5,678",y\n', "decimal", {".": [1234, 5678], ",": [1.234, 5.678]}),
    ],
)
def test_what_can_be_read_in_two_ways_is_refused_with_the_setting_to_give(tmp_path, text, setting, values):
    path = written(tmp_path, text)
    with pytest.raises(DataError, match="can be read in two ways") as refused:
        open_dataset(path)
    assert "day" in refused.value.message
    prints = set()
    for given_, expected in values.items():
        assert f'{setting} = "{given_}"' in refused.value.hint
        dataset = open_dataset(f"{path}#{setting}={given_}")
        assert dataset.frame()["day"].tolist() == expected
        assert read_frame(path, **{setting: given_})["day"].tolist() == expected
        prints.add(dataset.fingerprint)
    assert len(prints) == 2, "the fingerprint depends on the reading"


def test_another_column_of_the_file_tells_how_to_read_one_that_does_not(tmp_path):
    text = "a;b;c;d\n1.234;0,5;01.02.2024;31.01.2024\n5.678;1,5;03.04.2024;02.02.2024\n"
    frame = read_frame(written(tmp_path, text))
    assert frame["a"].tolist() == [1234, 5678]
    assert frame["c"].tolist() == [datetime(2024, 2, 1), datetime(2024, 4, 3)]


def test_a_late_row_decides(tmp_path, monkeypatch):
    """Two thousand cells that fit both ways, and one in the last block that fits one."""
    monkeypatch.setattr("nbprod.datasets.csv._BLOCK_BYTES", 4096)
    path = written(tmp_path, "t;x\n" + "01.02.2024;1.234\n" * 2_000 + "13.02.2024;1,5\n")
    frame = read_frame(path)
    assert frame["t"].iloc[0] == datetime(2024, 2, 1)
    assert frame["x"].iloc[0] == 1234


def test_points_of_a_plain_file_stay_fractions(tmp_path):
    """1.234 with commas between cells is the usual fraction, also where a text column has commas in it."""
    frame = read_frame(written(tmp_path, 'x,note\n1.234,"a, b"\n5.678,"c"\n'))
    assert frame["x"].tolist() == [1.234, 5.678]


def test_points_and_commas_in_one_file_are_each_read_by_what_proves_them(tmp_path):
    frame = read_frame(written(tmp_path, "lat;price\n52.5;1,5\n48.25;2,25\n"))
    assert frame["lat"].tolist() == [52.5, 48.25]
    assert frame["price"].tolist() == [1.5, 2.25]


@pytest.mark.parametrize("head", ["sep=;\n", '"sep=;"\r\n', "SEP=;\n"])
def test_the_first_line_excel_writes_for_itself_is_no_header(tmp_path, head):
    assert list(read_frame(written(tmp_path, head + "a;b\n1;2\n"))) == ["a", "b"]


def test_delimiters_inside_quoted_names_do_not_count(tmp_path):
    text = '"Preis, netto, heute";Menge\n"1,5";2\n"2,5";3\n'
    assert list(read_frame(written(tmp_path, text))) == ["Preis, netto, heute", "Menge"]


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(
        st.tuples(
            st.floats(-1e9, 1e9).map(lambda x: round(x, 2)),
            st.datetimes(datetime(1970, 1, 1), datetime(2068, 1, 1)).map(lambda at: at.replace(microsecond=0)),
        ),
        min_size=1,
        max_size=30,
    ),
    group=st.sampled_from(["", ".", " ", "'"]),
)
def test_any_table_written_the_german_way_comes_back(tmp_path, rows, group):
    """An independent writer (``format``) makes the cells; what a reader sets is held beside what is found."""

    def cell(number):
        return f"{number:,.2f}".translate({ord(","): group, ord("."): ","})

    lines = [f"{cell(number)};{at:%d.%m.%Y %H:%M:%S}" for number, at in rows]
    path = written(tmp_path, "x;t\n" + "\n".join(lines) + "\n", "utf-16")
    table = open_dataset(path, decimal=",", dates="day-first").table()
    assert table["x"].to_pylist() == [number for number, _ in rows]
    assert table["t"].to_pylist() == [at for _, at in rows]


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"decimal": ";"}, "decimal"),
        ({"dates": "dmy"}, "day-first"),
        ({"encoding": "utf-9"}, "utf-9"),
        ({"encoding": "base64"}, "base64"),
        ({"delimiter": ";;"}, "delimiter"),
        ({"decimal": ",", "thousands": ","}, "both"),
        ({"decimel": ","}, "Did you mean decimal"),
        ({"decimal": 1}, "must be a text"),
    ],
)
def test_settings_that_cannot_be_are_refused_by_name(said, words):
    with pytest.raises(SettingsError) as refused:
        data_place("sales", {"path": "sales.csv", **said})
    assert "[data.sales]" in str(refused.value)
    assert words in str(refused.value)


def test_a_format_for_what_is_no_csv_is_refused():
    with pytest.raises(SettingsError, match="no CSV file"):
        data_place("sales", {"path": "sales.parquet", "decimal": ","})


def test_an_encoding_that_was_said_is_held_against_every_byte(tmp_path):
    path = written(tmp_path, GERMAN, "latin-1")
    with pytest.raises(DataError, match="is not utf-8 text"):
        open_dataset(path, encoding="utf-8")
    assert open_dataset(path, encoding="latin-1").fingerprint == open_dataset(path).fingerprint


def test_a_format_travels_behind_the_path():
    form = CsvFormat(decimal=",", thousands="space", delimiter="tab", encoding="latin1", dates="day-first")
    place, read = split_format(f"/a b/sales.csv{form.fragment}")
    assert (place, read) == ("/a b/sales.csv", form)
    assert split_format("s3://b/x#1.parquet") == ("s3://b/x#1.parquet", CsvFormat())


def test_binary_data_under_the_name_of_a_csv_are_refused(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_bytes(bytes(range(256)) * 20)
    with pytest.raises(DataError, match="no CSV text"):
        open_dataset(path)


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_lines_end_as_any_system_ends_them(tmp_path, ending):
    """Also with a lone carriage return, and with one inside a quoted cell."""
    path = tmp_path / "t.csv"
    path.write_bytes(ending.join(["a;b", f'1;"x{ending}y"', "3;z", ""]).encode())
    assert read_frame(path).to_dict("list") == {"a": [1, 3], "b": [f"x{ending}y", "z"]}
