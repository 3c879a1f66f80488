#!/bin/sh
# Each test is a question to the database and the answer it must give.
set -eu

number=0
failed=0

expect() {
    number=$((number + 1))
    answer=$(psql -At -c "$2" 2>&1 || true)
    case "$answer" in
        *"$3"*) echo "ok $number  $1" ;;
        *)
            echo "FAILED $number  $1: expected '$3', got '$answer'" >&2
            failed=$((failed + 1))
            ;;
    esac
}

expect "every customer is there" "select count(*) from customer" "3"
expect "a total adds its lines" "select total::numeric(8,2) from order_totals where purchase = 1" "50.50"
expect "totals add up" "select sum(total)::numeric(8,2) from order_totals" "131.70"
expect "no line without pieces" "insert into line values (1, 'spoon', 0, 100)" "line_pieces_check"
expect "no order without a customer" "insert into purchase (customer) values (99)" "purchase_customer_fkey"
expect "an article stands once in an order" "insert into line values (1, 'tea', 1, 520)" "line_pkey"

echo "$((number - failed)) of $number answers are right"
exit "$failed"
