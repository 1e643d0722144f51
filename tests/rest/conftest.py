import pytest
from door import Door


@pytest.fixture
def start_door():
    """start_door(options): a door that ends with the test, in order."""
    doors = []

    def start(*options):
        doors.append(Door(*options))
        return doors[-1]

    yield start
    try:
        while doors:
            doors[-1].end()
            doors.pop()
    finally:
        for door in doors:
            door.kill()


@pytest.fixture
def door(start_door):
    """Open for votes."""
    door = start_door()
    door.say("phase OPEN")
    return door
