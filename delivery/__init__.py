"""delivery: when a book arrives. The one service behind the page that speaks HTTP."""
