"""What a spell is: its source, its engine, what it asks for; and the script API's description.

`api/` describes every function a spell can call, once, for three languages. Nothing here decides
what is allowed (policies) or does what was asked (supervisor).
"""
