"""The options of each verb, declared once.

From them come the command line, recipes, the Python API and a run's identity.

Neither torch nor pydantic is imported with them.
"""
