CREATE TABLE entries (
  id      BIGINT PRIMARY KEY,
  account BIGINT NOT NULL REFERENCES accounts (id),
  cents   BIGINT NOT NULL
);
