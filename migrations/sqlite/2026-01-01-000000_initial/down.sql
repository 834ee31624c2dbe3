DROP TABLE entries;
DROP TABLE members;
DROP TABLE users;
DROP TABLE groups;
DROP TABLE meta;
