//! How a matrix is laid out: two axes span the table, the rest are facets.
