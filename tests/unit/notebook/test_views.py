"""Who sees a panel, as far as the kernel is told."""

from workbench.notebook.views import Views


def ticked(views, times):
    for _ in range(times):
        views.tick()
    return views


def test_a_displayed_panel_is_taken_for_seen_before_a_view_says_so():
    views = Views()
    views.expect()

    assert views.are_watched


def test_the_first_view_takes_the_place_of_the_expected_one():
    views = Views()
    views.expect()

    views.watch("a", is_visible=False)

    assert not views.are_watched
    assert not views.are_gone


def test_of_two_views_one_may_go():
    views = Views()
    views.watch("a", is_visible=True)
    views.watch("b", is_visible=True)

    views.leave("a")

    assert views.are_watched


def test_a_view_that_is_shown_again_needs_all_anew():
    views = Views()

    assert views.watch("a", is_visible=True)
    assert not views.watch("a", is_visible=True)
    views.watch("a", is_visible=False)
    assert views.watch("a", is_visible=True)


def test_a_page_that_was_closed_without_a_word_is_forgotten():
    views = Views()
    views.watch("a", is_visible=True)

    assert not ticked(views, 12).are_gone
    assert ticked(views, 1).are_gone


def test_a_page_that_goes_on_saying_that_it_is_there_is_not():
    views = Views()
    for _ in range(5):
        views.watch("a", is_visible=True)
        ticked(views, 10)

    assert views.are_watched


def test_a_hidden_view_may_be_silent_for_longer():
    views = Views()
    views.watch("a", is_visible=False)

    assert not ticked(views, 60).are_gone
    assert ticked(views, 1).are_gone
