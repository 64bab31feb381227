"""Documents from tables: report sections and their renderers."""
