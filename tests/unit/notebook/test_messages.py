from nbprod.notebook.messages import one_line


def test_an_error_of_several_lines_reads_as_sentences_in_one():
    assert one_line("E: no column 'clas'\nDid you mean class?") == "E: no column 'clas'. Did you mean class?"
    assert one_line("E: first:\n  and its  second\n\n") == "E: first: and its second"
    assert one_line("E: done.\nNext") == "E: done. Next"
