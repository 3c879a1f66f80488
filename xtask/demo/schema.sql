create table customer (
    id bigint generated always as identity primary key,
    name text not null
);

create table purchase (
    id bigint generated always as identity primary key,
    customer bigint not null references customer (id)
);

create table line (
    purchase bigint not null references purchase (id),
    article text not null,
    pieces integer not null check (pieces > 0),
    cents integer not null check (cents >= 0),
    primary key (purchase, article)
);

create view order_totals as
    select customer.name as customer, purchase.id as purchase, (sum(line.pieces * line.cents) / 100.0)::numeric(10, 2) as total
    from customer
    join purchase on purchase.customer = customer.id
    join line on line.purchase = purchase.id
    group by customer.name, purchase.id;

insert into customer (name) values ('Ada'), ('Grace'), ('Barbara');
insert into purchase (customer) values (1), (1), (2), (3);
insert into line (purchase, article, pieces, cents) values
    (1, 'kettle', 1, 3490), (1, 'tea', 3, 520), (2, 'tea', 2, 520), (3, 'teapot', 1, 4200), (4, 'cup', 6, 480);
