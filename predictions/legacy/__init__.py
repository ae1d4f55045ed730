"""The system this site grew from: its routes /upload and /predict, and its Cassandra table.

Can be deleted as a whole once nobody uses them; nothing else imports it but urls and a command.
"""
