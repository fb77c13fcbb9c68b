"""Pictures and labels: layouts of folders, reading, views, splits, screening, and the feed that makes batches of them."""
