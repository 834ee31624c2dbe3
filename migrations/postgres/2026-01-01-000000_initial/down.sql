DROP TABLE entries;
DROP TABLE members;
DROP TABLE users;
DROP TABLE groups;
DROP SEQUENCE message_ids;
DROP TABLE meta;
